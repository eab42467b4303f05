"""Attribution: who spends, held in OpenTelemetry Context, and the step where nobody named one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context

from farthing_processor import semconv as names

BAGGAGE_PREFIX: Final = "farthing."
"""Every baggage key of ours begins with this, so that all of them can be kept from a provider."""

PRIVATE_BAGGAGE: Final = frozenset({names.USER_ID, names.SESSION_ID, "enduser.id"})
"""Baggage that says who the user is, whoever set it: no provider may learn that from us."""

UNKNOWN_STEP: Final = "unknown"

_KEY: Final = context.create_key("farthing-attribution")
_NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


class Attribution(NamedTuple):
    """Who spends: what the application said, each None where it said nothing. Immutable."""

    workflow: str | None = None
    workflow_id: str | None = None
    step: str | None = None
    step_path: str | None = None
    """The names of all enclosing steps, outermost first, joined by ``/``; the innermost pays."""
    agent: str | None = None
    feature: str | None = None
    user: str | None = None
    session: str | None = None
    task: str | None = None
    task_type: str | None = None
    tags: Mapping[str, str] = _NO_TAGS

    def attributes(self) -> dict[str, str]:
        """The span attributes that say it, without those nobody named."""
        named: tuple[str | None, ...] = self[:-1]
        attributes = {
            name: value for name, value in zip(_ATTRIBUTES, named, strict=True) if value is not None
        }
        for key, value in self.tags.items():
            attributes[names.TAG_PREFIX + key] = value
        return attributes


_ATTRIBUTES: Final = (
    names.WORKFLOW_NAME,
    names.WORKFLOW_ID,
    names.STEP_NAME,
    names.STEP_PATH,
    names.AGENT_NAME,
    names.FEATURE,
    names.USER_ID,
    names.SESSION_ID,
    names.TASK_ID,
    names.TASK_TYPE,
)
NOBODY: Final = Attribution()


def set_in_context(who: Attribution, within: Context | None = None) -> Context:
    """A context in which ``who`` spends, made from ``within`` or the current one."""
    return context.set_value(_KEY, who, within)


def current(within: Context | None = None) -> Attribution:
    """Who spends in a context, the current one by default, as far as anyone said."""
    who = context.get_value(_KEY, within)
    return who if isinstance(who, Attribution) else NOBODY


def with_step(who: Attribution, fallback: str, within: Context | None = None) -> Attribution:
    """``who`` with a step, found where nobody named one.

    In order: the named step, the agent, the nearest enclosing recording span, else ``fallback``
    (operation and model). Under an unsampled parent it is ``unknown``, because the enclosing span
    then has no name that we can see, and steps must not change their names with sampling.
    """
    if who.step is not None:
        return who
    if who.agent is not None:
        return who._replace(step=who.agent)
    span = trace.get_current_span(within)
    name = getattr(span, "name", None) if span.is_recording() else None
    if isinstance(name, str) and name:
        return who._replace(step=name)
    parent = span.get_span_context()
    if parent.is_valid and not parent.trace_flags.sampled:
        return who._replace(step=UNKNOWN_STEP)
    return who._replace(step=fallback)


def without_baggage(within: Context) -> Context:
    """``within`` less the baggage that no provider may see; the same object if it has none.

    Clients and HTTP instrumentations write the baggage of the current context into the headers of
    the requests they send.
    """
    for key in baggage.get_all(within):
        if key.startswith(BAGGAGE_PREFIX) or key in PRIVATE_BAGGAGE:
            within = baggage.remove_baggage(key, within)
    return within
