"""What is to be on record after a case: one span, one set of metrics, the right cost."""

from __future__ import annotations

import gc
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from farthing_processor import metrics as catalogue
from farthing_processor import semconv as names
from tests.contract.running import Case
from tests.instrumentation.conftest import Telemetry

_USAGE = tuple(value for name, value in vars(names).items() if name.startswith("USAGE_"))


class NotRecorded(AssertionError):
    """The product has nothing of this call: what a row's ``missing`` says."""


def judge(case: Case, telemetry: Telemetry) -> None:
    """Check what was recorded of ``case``, the only call that there was."""
    method, outcome = case.method, case.ending.outcome
    points = telemetry.points()
    spans = telemetry.spans()
    ours = [span for span in spans if _scope(span) == names.SCOPE]
    if not ours and not points:
        raise NotRecorded(method.id)
    assert [span.name for span in spans] == [span.name for span in ours], "one call, two spans"
    (span,) = ours
    attributes: dict[str, Any] = dict(span.attributes or {})
    assert span.end_time is not None
    assert span.start_time is not None
    assert attributes[names.OPERATION_NAME] == method.operation
    assert attributes.get(names.REQUEST_MODEL) == method.arguments.get("model")
    assert attributes.get(names.RETRIES, 0) == case.ending.retries
    assert attributes.get(names.REQUEST_STREAM, False) == method.streams
    for request in case.server.requests:
        assert request.trace in (None, _traceparent(span)), "a trace context that is not ours"

    # Errors.
    failed = case.error is not None
    assert outcome.failed in (failed, None), case.error
    assert (names.ERROR_TYPE in attributes) == failed
    expected = StatusCode.ERROR if failed else StatusCode.UNSET
    assert span.status.status_code is expected
    assert not span.status.description
    assert not span.events
    if failed:
        assert attributes[names.ERROR_TYPE] == case.error

    # Usage and money.
    status = attributes.get(names.COST_STATUS)
    whole = True in outcome.costs and (False not in outcome.costs or status == method.status)
    usage = {name: attributes[name] for name in _USAGE if name in attributes}
    if whole:
        assert usage == dict(method.usage)
        assert status == method.status
        assert attributes.get(names.COST_AMOUNT) == method.cost
    else:
        # A call that nobody bills has nothing to be missing.
        unknown = None if failed and outcome.failed is None else outcome.status
        assert status == (unknown if method.status else None)
        assert names.COST_AMOUNT not in attributes
        # A count that was only the first word of several is not a count.
        assert usage.items() <= (method.usage.items() - {names.USAGE_OUTPUT_TOKENS})
    _judge_metrics(case, points, span, attributes)


def _judge_metrics(
    case: Case, points: dict[str, list[Any]], span: Any, attributes: dict[str, Any]
) -> None:
    (duration,) = points.pop(catalogue.OPERATION_DURATION.name)
    assert duration.count == 1
    assert round(duration.sum * 1e9) == span.end_time - span.start_time
    assert duration.attributes.get(names.ERROR_TYPE) == attributes.get(names.ERROR_TYPE)

    cost = points.pop(catalogue.COST.name, [])
    assert [(point.count, point.sum) for point in cost] == (
        [(1, attributes[names.COST_AMOUNT])] if names.COST_AMOUNT in attributes else []
    )
    counted = {
        point.attributes[names.TOKEN_TYPE]: (point.count, point.sum)
        for point in points.pop(catalogue.TOKEN_USAGE.name, [])
    }
    assert counted == {
        kind: (1, attributes[name])
        for kind, name in (
            ("input", names.USAGE_INPUT_TOKENS),
            ("output", names.USAGE_OUTPUT_TOKENS),
        )
        if name in attributes
    }
    unpriced = points.pop(catalogue.UNPRICED.name, [])
    missing = attributes.get(names.COST_STATUS) in ("usage_missing", "unpriced")
    assert [point.value for point in unpriced] == ([1] if missing else [])
    first = points.pop(catalogue.TIME_TO_FIRST_CHUNK.name, [])
    assert [point.count for point in first] == (
        [1] if names.RESPONSE_TIME_TO_FIRST_CHUNK in attributes else []
    )
    retries = points.pop(catalogue.RETRIES.name, [])
    assert [point.value for point in retries] == (
        [case.ending.retries] if case.ending.retries else []
    )
    # What else the call has to say, of its cache for one, it says once.
    for name, further in points.items():
        assert name.startswith("farthing."), name
        assert [getattr(point, "count", 1) for point in further] == [1], name


def _traceparent(span: Any) -> str:
    trace_id, span_id = span.context.trace_id, span.context.span_id
    return f"00-{trace.format_trace_id(trace_id)}-{trace.format_span_id(span_id)}-03"


def _scope(span: Any) -> str | None:
    return span.instrumentation_scope.name if span.instrumentation_scope else None


def left_behind() -> set[str]:
    """The types, of the instrumentation's own, of all objects made since `gc.freeze`."""
    types = {type(thing) for thing in gc.get_objects()}
    return {f"{t.__module__}.{t.__qualname__}" for t in types if _is_ours(t)}


def _is_ours(kind: type) -> bool:
    return str(kind.__module__).partition(".")[0] == "farthing"
