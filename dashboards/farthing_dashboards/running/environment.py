"""The environment of a program that runs under us, and why no call of it may have arrived."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from farthing_processor import handover


def environment(
    given: Mapping[str, str], command: Sequence[str], endpoint: str, report: Path, site: Path
) -> dict[str, str]:
    """``given``, and what has every Python below us send to ``endpoint``.

    Nothing of OpenTelemetry's is set here: a program that is no Python, or has no farthing, finds
    all as it was. ``report`` is where they say how it went, ``site`` the folder of the
    ``sitecustomize`` that each of them runs.
    """
    path = os.pathsep.join(filter(None, [str(site), given.get("PYTHONPATH")]))
    return {
        **given,
        "PYTHONPATH": path,
        handover.ENDPOINT: endpoint,
        handover.SERVICE: service(command),
        handover.REPORT: str(report),
    }


def service(command: Sequence[str]) -> str:
    """What to call the program: its script, its module, or its command."""
    program = Path(command[0]).stem
    if program.rstrip("0123456789.") != "python":
        return program
    rest = iter(command[1:])
    for argument in rest:
        if argument == "-m":
            return next(rest, program)
        if argument in ("-c", "-"):
            return program
        if argument in ("-W", "-X"):
            next(rest, None)
        elif not argument.startswith("-"):
            return Path(argument).stem
    return program


_OFF: Final[Sequence[tuple[Callable[[Mapping[str, str]], bool], str]]] = (
    (
        lambda given: given.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        "OTEL_SDK_DISABLED turns all telemetry off: unset it to have calls recorded.",
    ),
    (
        lambda given: (
            not {"farthing", "*"}.isdisjoint(
                name.strip()
                for name in given.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
            )
        ),
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS turns farthing off: take it out to have calls"
        " recorded.",
    ),
    (
        lambda given: given.get("OTEL_TRACES_SAMPLER", "").strip().lower().endswith("always_off"),
        "OTEL_TRACES_SAMPLER drops every span: unset it to have calls recorded.",
    ),
)
"""What the user's own variables may turn off, and how to have it on again."""


def partly(given: Mapping[str, str]) -> str | None:
    """What the user's own sampler does to the sums, in one sentence."""
    sampler = given.get("OTEL_TRACES_SAMPLER", "").strip()
    if not sampler.lower().endswith("ratio"):
        return None
    return f"OTEL_TRACES_SAMPLER={sampler} leaves calls out: unset it to have all of the spend."


def why_nothing(given: Mapping[str, str], report: Path) -> str:
    """The likely reason why no call arrived, in one sentence."""
    for applies, sentence in _OFF:
        if applies(given):
            return sentence
    pythons: dict[str, set[str]] = {}
    for line in report.read_text(errors="replace").splitlines():
        python, _, state = line.rpartition("\t")
        pythons.setdefault(state, set()).add(python)
    if missing := sorted(pythons.get(handover.MISSING, ())):
        return (
            f"{missing[0]} has no farthing, or an older one: {missing[0]} -m pip install --upgrade "
            "farthing."
        )
    if handover.OFF in pythons:
        return "OpenTelemetry could not be set up in the program: its messages above say why."
    if handover.READY in pythons:
        return "The program called no model that farthing knows: farthing doctor says which."
    return (
        "No Python ran that farthing could follow: it follows those that read PYTHONPATH, and"
        " other programs may send OTLP to a port given by --port."
    )
