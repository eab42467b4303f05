"""The names that Prometheus gives the catalogue's metrics and labels, under each of its strategies.

Expressions are written in the `suffixed` naming and translated. Source of the rules: Prometheus'
otlptranslator and what opentelemetry-exporter-prometheus emits; they agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, get_args

from farthing_processor.metrics import CATALOGUE, Metric

Naming = Literal["suffixed", "plain", "utf8", "utf8-suffixed"]
"""Prometheus' ``translation_strategy``, in this order: UnderscoreEscapingWithSuffixes (its
default), UnderscoreEscapingWithoutSuffixes, NoTranslation, NoUTF8EscapingWithSuffixes."""
Part = Literal["", "sum", "count", "bucket"]
"""Which series of a histogram; nothing of a counter and of a gauge."""

NAMINGS: Final[tuple[Naming, ...]] = get_args(Naming)
SERVICE: Final = "job"
"""The label that has the service: ``service.name`` arrives as this one."""
ENVIRONMENT: Final = "deployment.environment.name"
"""The resource attribute that has the environment. It is a label where it was promoted."""

_UNITS: Final = {"s": "_seconds", "USD": "_USD"}
"""Units in braces are notes, and vanish."""
_PARTS: Final[dict[str, tuple[Part, ...]]] = {
    "histogram": ("sum", "count", "bucket"),
    "counter": ("",),
    "gauge": ("",),
}


def series(metric: Metric, part: Part = "") -> str:
    """The name of a metric's series in the `suffixed` naming.

    ``series(COST, "sum")`` is ``gen_ai_client_operation_cost_sum``.

    Raises:
        ValueError: a histogram without a part, or anything else with one.
    """
    if part not in _PARTS[metric.kind]:
        raise ValueError(f"{metric.name} is a {metric.kind}: it has no series {part or 'alone'}")
    return _named(metric, part, "suffixed")


def label(attribute: str) -> str:
    """``farthing.step.name`` as a label: ``farthing_step_name``."""
    return attribute.replace(".", "_")


def renamed(expression: str, naming: Naming) -> str:
    """A PromQL expression in the `suffixed` naming, in another one.

    Names with dots are quoted: ``{"farthing.outliers", job="a"}``, ``by ("farthing.step.name")``.
    """
    if naming == "suffixed":
        return expression

    def other(found: re.Match[str]) -> str:
        quoted, name, body = found["quoted"], found["name"], found["body"]
        if quoted is not None:
            return f'"{relabelled(quoted[1:-1], naming)}"' if quoted[0] == '"' else quoted
        if (named := _SERIES[naming].get(name)) is not None:
            if "." not in named:
                return named + (body or "")
            rest = body[1:].lstrip() if body else "}"
            return f'{{"{named}"{"" if rest.startswith("}") else ", "}{rest}'
        labelled = relabelled(name, naming)
        return (f'"{labelled}"' if "." in labelled else labelled) + (body or "")

    return _TOKEN.sub(other, expression)


def relabelled(name: str, naming: Naming) -> str:
    """A label of the `suffixed` naming in another one; anything else as it is."""
    return _LABELS.get(name, name) if naming.startswith("utf8") else name


def _named(metric: Metric, part: str, naming: Naming) -> str:
    name = metric.name if naming.startswith("utf8") else metric.name.replace(".", "_")
    if naming.endswith("suffixed"):
        name += _UNITS.get(metric.unit, "")
        name += "_total" if metric.kind == "counter" else ""
    return f"{name}_{part}" if part else name


def _all(named: Callable[[Metric, Part], str]) -> dict[str, str]:
    return {
        series(metric, part): named(metric, part)
        for metric in CATALOGUE
        for part in _PARTS[metric.kind]
    }


_SERIES: Final = {
    naming: _all(lambda metric, part, n=naming: _named(metric, part, n)) for naming in NAMINGS
}
_LABELS: Final = {
    label(name): name for name in (*(name for m in CATALOGUE for name in m.labels), ENVIRONMENT)
}
# A string, or a name with the brace that opens its selector.
_TOKEN: Final = re.compile(
    r"""(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""
    r"""|(?P<name>[A-Za-z_:][\w:]*)(?P<body>\{\s*\}?)?"""
)
