"""What a rule is, and how rules are written for Prometheus: the YAML, without a library for it.

Expressions and sentences are given in the `suffixed` naming; the file is in whichever is asked for.
A sentence names a label as ``<step>``, and may use Prometheus' templates, such as ``{{ $value }}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from farthing_dashboards.grafana import names
from farthing_dashboards.grafana.names import Naming, label, relabelled, renamed
from farthing_processor import semconv

Severity = Literal["info", "warning", "critical"]

RUNBOOKS: Final = "https://github.com/farthing-dev/farthing/blob/main/docs/runbooks.md"

PLACEHOLDERS: Final = {
    "service": names.SERVICE,
    "environment": label(names.ENVIRONMENT),
    "step": label(semconv.STEP_NAME),
    "workflow": label(semconv.WORKFLOW_NAME),
    "provider": label(semconv.PROVIDER_NAME),
    "request_model": label(semconv.REQUEST_MODEL),
    "response_model": label(semconv.RESPONSE_MODEL),
}


class Recording(NamedTuple):
    """A series that is computed ahead, because alerts and people ask for it again and again."""

    record: str
    says: str
    expression: str


class Alert(NamedTuple):
    """One alert: it fires once its measure was so, and every guard held, for ``after``."""

    name: str
    question: str
    measure: str
    """What ``$value`` is in the sentences."""
    when: str
    """The comparison that makes it an alert, such as ``> 0.1``."""
    guards: tuple[str, ...]
    """Each ``and …`` or ``unless …``: what keeps it quiet where the numbers say little."""
    after: str
    severity: Severity
    summary: str
    description: str
    lingers: str = ""
    """How long it goes on firing after that, so that a short dip does not end it."""

    @property
    def expression(self) -> str:
        return "\n".join((f"{self.measure} {self.when}", *self.guards))

    @property
    def anchor(self) -> str:
        """Of its section in the runbooks."""
        return self.name.lower()


class Group(NamedTuple):
    """Rules that are evaluated in order, so that each sees what those before it recorded."""

    name: str
    interval: str
    rules: Sequence[Recording | Alert]


def written(groups: Iterable[Group], naming: Naming = "suffixed") -> str:
    """The text of a rule file for Prometheus."""
    lines = ["groups:"]
    for group in groups:
        lines += [f"  - name: {group.name}", f"    interval: {group.interval}", "    rules:"]
        for rule in group.rules:
            of = _recording(rule, naming) if isinstance(rule, Recording) else _alert(rule, naming)
            lines += [f"      {line}" for line in of]
    return "\n".join(lines) + "\n"


def _recording(rule: Recording, naming: Naming) -> Iterable[str]:
    yield f"# {rule.says}"
    yield f"- record: {rule.record}"
    yield from _expression(rule.expression, naming)


def _alert(rule: Alert, naming: Naming) -> Iterable[str]:
    yield f"# {rule.question}"
    yield f"- alert: {rule.name}"
    yield from _expression(rule.expression, naming)
    yield f"  for: {rule.after}"
    if rule.lingers:
        yield f"  keep_firing_for: {rule.lingers}"
    yield from _mapping("labels", {"severity": rule.severity})
    yield from _mapping(
        "annotations",
        {
            "summary": _sentence(rule.summary, naming),
            "description": _sentence(rule.description, naming),
            "runbook_url": f"{RUNBOOKS}#{rule.anchor}",
        },
    )


def _expression(expression: str, naming: Naming) -> Iterable[str]:
    yield "  expr: |-"
    yield from (f"    {line}" for line in renamed(expression, naming).splitlines())


def _mapping(name: str, values: Mapping[str, str]) -> Iterable[str]:
    yield f"  {name}:"
    # A JSON string is a YAML string.
    yield from (f"    {key}: {json.dumps(v, ensure_ascii=False)}" for key, v in values.items())


def _sentence(text: str, naming: Naming) -> str:
    def value(found: re.Match[str]) -> str:
        name = relabelled(PLACEHOLDERS[found[1]], naming)
        return f'{{{{ index $labels "{name}" }}}}' if "." in name else f"{{{{ $labels.{name} }}}}"

    return re.sub(r"<(\w+)>", value, text)
