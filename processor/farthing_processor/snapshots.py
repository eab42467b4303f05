"""Snapshots: what each step's calls cost and took, as a file that processes share.

The file, at version 1, is a JSON object with one line for each step, sorted by service and step::

    {"version": 1, "scale": 4, "steps": [
    {"service": "shop", "step": "plan", "cost": {"zero": 2, "buckets": [[-113, 7], [-98, 31]]},
     "input_tokens": {"buckets": [[147, 40]]}, "output_tokens": {"buckets": [[101, 40]]}},
    …
    ]}

A bucket is [index, count]: ``count`` values above ``base**index`` and up to ``base**(index + 1)``,
where base is ``2**(2**-scale)``, as of an OTLP exponential histogram; ``zero`` counts the zeros.
What is 0 or empty is left out. Fields that are not named here are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from farthing_processor.histogram import SCALE, ZERO, Histogram

VERSION: Final = 1
MAX_BYTES: Final = 64 << 20
"""Of a file: more than 10,000 steps come to."""


class Measures(NamedTuple):
    """The histograms of one step."""

    cost: Histogram
    """USD."""
    input_tokens: Histogram
    output_tokens: Histogram


Snapshot = Mapping[tuple[str, str], Measures]
"""Histograms by (service, step)."""


def merged(*snapshots: Snapshot) -> Snapshot:
    """A snapshot of all samples that ``snapshots`` are of, in whatever order they are given."""
    found: dict[tuple[str, str], list[Measures]] = {}
    for snapshot in snapshots:
        for key, measures in snapshot.items():
            found.setdefault(key, []).append(measures)
    return {
        key: Measures(*(first.plus(*others) for first, *others in zip(*parts, strict=True)))
        for key, parts in found.items()
    }


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """The file's object."""
    steps = [
        {"service": service, "step": step, **_measures_to_json(measures)}
        for (service, step), measures in sorted(snapshot.items(), key=lambda item: item[0])
    ]
    return {"version": VERSION, "scale": SCALE, "steps": steps}


def from_json(data: object) -> Snapshot:
    """The snapshot of a file's object; a step that is there twice is the sum of both.

    Raises ValueError for what is none, in words that follow "it".
    """
    given = _fields(data, "file")
    version, scale, rows = (given.get(name) for name in ("version", "scale", "steps"))
    if version != VERSION:
        raise ValueError(f"has version {version!r:.20}, and version {VERSION} is what is read")
    if not isinstance(rows, list):
        raise ValueError("has no list of steps")
    return merged(*(_step(row, scale) for row in cast(list[object], rows)))


def save(snapshot: Snapshot, path: str | Path) -> None:
    """Write a file, or replace one whole: no reader sees half of it.

    Raises ValueError, in one sentence, where that cannot be.
    """
    from farthing_processor.pricing.refresh import keep  # Only who writes needs all of it.

    data = to_json(snapshot)
    rows = ",\n".join(map(json.dumps, data.pop("steps")))
    text = f'{json.dumps(data)[:-1]}, "steps": [\n{rows}\n]}}\n'
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"The baselines are not saved to {path}: with {len(snapshot)} steps they are larger"
            f" than the {MAX_BYTES >> 20} MB that are read; keep fewer steps."
        )
    try:
        keep(text, Path(path))
    except OSError as fault:
        raise ValueError(
            f"The baselines are not saved to {path}: {fault.strerror or fault}; give a file that"
            " can be written."
        ) from fault


def load(path: str | Path) -> Snapshot:
    """The snapshot in a file. Raises ValueError, in one sentence, if it holds none."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES >> 20} MB")
        return from_json(_parsed(text))
    except OSError as fault:
        why = f"cannot be read ({fault.strerror or fault})"
    except ValueError as fault:
        why = str(fault)
    raise ValueError(f"The baseline file {path} is not used: it {why}; save a new one.")


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise ValueError(f"is not JSON ({fault})") from None


def _measures_to_json(measures: Measures) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, histogram in measures._asdict().items():
        buckets = histogram.buckets()
        zero = buckets.pop(ZERO, 0)
        parts = {"zero": zero, "buckets": list(buckets.items())}
        if any(parts.values()):
            data[name] = {part: value for part, value in parts.items() if value}
    return data


def _step(data: object, scale: Any) -> Snapshot:
    fields = _fields(data, "step")
    service, step = fields.get("service"), fields.get("step")
    if not (isinstance(service, str) and isinstance(step, str)):
        raise ValueError("has a step without the names of its service and of itself")
    measures: list[Histogram] = []
    for name in Measures._fields:
        given = _fields(fields.get(name, {}), "histogram")
        histogram = Histogram.at_scale(scale, given.get("zero", 0), given.get("buckets", ()))
        measures.append(histogram)
    return {(service, step): Measures(*measures)}


def _fields(data: object, what: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"has {data!r:.40} for the object of a {what}")
    return cast(Mapping[str, Any], data)
