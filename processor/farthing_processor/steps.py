"""Steps: the step of a call where nobody named one, from what is around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context

from farthing_processor import live
from farthing_processor import semconv as names
from farthing_processor.attribution import UNKNOWN_STEP, Attribution


def with_step(who: Attribution, fallback: str, within: Context | None = None) -> Attribution:
    """``who`` with a step, found where nobody named one.

    In order: the named step, the agent, the nearest enclosing recording span that is not itself a
    call to a model as another tracer sees it, else ``fallback`` (operation and model). Under an
    unsampled parent it is ``unknown``, because the enclosing span then has no name that we can see,
    and steps must not change their names with sampling.
    """
    if who.step is not None:
        return who
    if who.agent is not None:
        return who._replace(step=who.agent)
    span = trace.get_current_span(within)
    if span.is_recording():
        return who._replace(step=enclosing(span) or fallback)
    parent = span.get_span_context()
    if parent.is_valid and not parent.trace_flags.sampled:
        return who._replace(step=UNKNOWN_STEP)
    return who._replace(step=fallback)


def enclosing(span: object) -> str | None:
    """The name of ``span``, or of the nearest around it that is not a call; None if there is none.

    Without the span processor only ``span`` itself is known.
    """
    return nearest(chain((span,), live.around(span)))


def nearest(spans: Iterable[object]) -> str | None:
    """The name of the first of ``spans`` that is neither a call nor a whole workflow; None if there
    is none."""
    return next((_name(span) for span in spans if not (is_call(span) or _is_workflow(span))), None)


def _name(span: object) -> str | None:
    name = getattr(span, "name", None)
    return name if isinstance(name, str) and name else None


def _is_workflow(span: object) -> bool:
    """Whether it is a root span of ours: its name says what was wanted, not where it was done."""
    scope = getattr(getattr(span, "instrumentation_scope", None), "name", None)
    if scope != names.SCOPE:
        return False
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or _NOTHING
    return attributes.get(names.OPERATION_NAME) == names.INVOKE_WORKFLOW


def is_call(span: object) -> bool:
    """Whether a span that has begun is some tracer's span of a call to a model."""
    # Imported here: only beside the span processor, which needs all of it, is this asked.
    from farthing_processor.dialects import choose, of_scope
    from farthing_processor.dialects.dialect import named_operation

    scope = getattr(getattr(span, "instrumentation_scope", None), "name", None)
    if not isinstance(scope, str):
        return False
    dialects = of_scope(scope)
    if not dialects:
        return False
    if dialects[0].calls_only:
        return True
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or _NOTHING
    if named_operation(attributes) is not None:
        # Even if another span of its tracer's is to be priced, which says more of the same call.
        return True
    dialect = choose(scope, attributes)
    return dialect is not None and dialect.operation(attributes) is not None


_NOTHING: Final[Mapping[str, Any]] = {}
