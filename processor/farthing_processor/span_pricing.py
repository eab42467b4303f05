"""Pricing a finished span, whoever made it: what is to be added to it, and its metrics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode

from farthing_processor import aliases, attribution, by_hand, live
from farthing_processor import semconv as names
from farthing_processor.assessment import Assessment, AttributeValue, assess, flagged
from farthing_processor.attribution import NOBODY, Attribution
from farthing_processor.dialects import Dialect, Reading, Seen, choose, of_scope, read
from farthing_processor.dialects.dialect import named_operation
from farthing_processor.duplicates import Paid, Sight, models_of, tokens_of
from farthing_processor.outliers import Watch
from farthing_processor.recording import Entry, Recorder
from farthing_processor.settings import Settings
from farthing_processor.steps import is_call, nearest
from farthing_processor.workflows import wasted

Attributes = dict[str, AttributeValue]

TOLERANCE: Final = 0.01
"""Amounts that differ by no more than this part of the larger are told as one."""
OURS: Final = 512
"""Calls of ours kept until another tracer's span may be one of them, the latest."""
FAILED: Final = 1000
"""Spans kept in mind in which a call has failed, the latest."""


class Begun(NamedTuple):
    """What was known of a span when it began. Immutable."""

    who: Attribution
    """Who spends, as far as the application said it."""
    within: str | None
    """The name of what is around it, other tracers' spans of the same call aside."""
    counted: bool
    """Whether a tracer around it records the tokens of its calls."""
    recorded: bool = False
    """Whether it is within a call of ours, which records all of its metrics, span or no span."""


class SpanPricer:
    """Prices spans, each call once. Thread-safe; holds a bounded memory of what is paid."""

    def __init__(self, settings: Settings, recorder: Recorder, watch: Watch) -> None:
        self._settings = settings
        self._recorder = recorder
        self._watch = watch
        self._paid = Paid()
        self._ours: deque[tuple[SpanContext, list[int], Mapping[str, Any], int, int]] = deque(
            maxlen=OURS
        )
        """Calls of ours that are paid, and not yet noted so: only where others trace too is that
        ever of use."""
        self._failed_in: deque[int] = deque(maxlen=FAILED)
        """Spans in which a call has failed: what fails around it is the same call."""

    def added(
        self, span: ReadableSpan, around: Iterable[ReadableSpan] = (), begun: Begun | None = None
    ) -> Attributes:
        """What is to be added to a span that has ended, the most important first; nothing to one
        that is no call to a model, or that is priced already.

        ``around`` are the spans that enclose it, innermost first, as far as they are known.
        """
        scope, context = span.instrumentation_scope, span.context
        if scope is None or context is None or span.attributes is None:
            return {}
        # A plain copy: each look-up in the SDK's own mapping costs three of this.
        present: dict[str, Any] = cast(Any, span.attributes).copy()
        if names.COST_DUPLICATE_OF in present:
            return {}
        enclosing = list(around)
        outer = [one.context.span_id for one in enclosing if one.context]
        if not outer and span.parent is not None:
            outer = [span.parent.span_id]
        if scope.name == names.SCOPE or names.COST_STATUS in present:
            if names.COST_AMOUNT in present or names.COST_OURS in present:
                times = span.start_time or 0, span.end_time or 0
                self._ours.append((context, outer, _told(present), *times))
            return {}
        dialect = choose(scope.name, present)
        reading = dialect and self._read(dialect, span, scope, present)
        if dialect is None or reading is None:
            return {}
        who = _who(reading, begun, enclosing)
        assessment = assess(reading.facts, who)
        payer = self._payer(reading, span, context, enclosing, outer, assessment)
        if payer is not None:
            return {names.COST_DUPLICATE_OF: trace.format_span_id(payer)}
        again = assessment.status is None and context.span_id in self._failed_in
        if assessment.status is None:
            self._failed_in.extend(outer)
        recorded = again or (begun is not None and begun.recorded)
        if not recorded:
            assessment = flagged(assessment, reading.facts, who, self._watch)
        assessment = _compared(assessment, reading)
        said = self._said(dialect, reading, who, assessment, not _AMOUNTS.isdisjoint(present))
        if not recorded:
            self._record(context, reading, who, assessment, _counted(span, begun))
        return _first(said, present)

    def _read(
        self,
        dialect: Dialect,
        span: ReadableSpan,
        scope: InstrumentationScope,
        present: Mapping[str, Any],
    ) -> Reading | None:
        failed = span.status.status_code is StatusCode.ERROR
        began, ended = span.start_time or 0, span.end_time or 0
        seen = Seen(present, scope.name, scope.version or "", began, ended, failed)
        return read(dialect, seen, self._settings.gateways)

    def _payer(
        self,
        reading: Reading,
        span: ReadableSpan,
        context: SpanContext,
        enclosing: Sequence[ReadableSpan],
        outer: list[int],
        assessment: Assessment,
    ) -> int | None:
        """The other span that pays this call, or has paid it; None where it is for this one to."""
        while self._ours:
            self._paid.pay(_sight_of_ours(*self._ours.popleft()))
        payer = _our_call_in(enclosing) or live.ours_in(context.span_id)
        if payer is not None:
            return payer
        hand = by_hand.of(outer)
        if hand is not None and (payer := hand.paid(inside=True)) is not None:
            return payer
        shown = _sight(reading, span, context, outer)
        if assessment.cost is None:
            return self._paid.earlier(shown)
        payer = self._paid.pay(shown)
        if payer is None and hand is not None:
            payer = hand.pay(context.span_id, inside=True)
        return payer

    def _said(
        self,
        dialect: Dialect,
        reading: Reading,
        who: Attribution,
        assessment: Assessment,
        taken: bool,
    ) -> Attributes:
        """What a priced span is to say; ``taken`` is whether it has an amount of another's."""
        said: Attributes = dict(assessment.attributes)
        if assessment.cost is not None:
            if assessment.other is not None and reading.reported is not None:
                said[names.COST_REPORTED] = assessment.other
            if reading.assumed:
                said[names.COST_ASSUMED] = list(reading.assumed)
            if (reason := wasted(reading.facts, assessment)) is not None:
                said[names.WASTE_REASON] = reason
            aliases.add(said, assessment, self._settings.cost_aliases)
            if taken or reading.reported is not None:
                aliases.beside_another(said, assessment)
            if taken:
                said.pop(names.ALIAS_USAGE_COST, None)
        if assessment.status is not None:
            said[names.COST_DIALECT] = dialect.name
        return {**said, **who.attributes()}

    def _record(
        self,
        context: SpanContext,
        reading: Reading,
        who: Attribution,
        assessment: Assessment,
        counted: bool,
    ) -> None:
        """Record what nobody does: the money, and the tokens where the emitter counts none."""
        facts = reading.facts._replace(duration_s=None)
        within = trace.set_span_in_context(NonRecordingSpan(context), Context())
        assumed = reading.assumed if assessment.cost is not None else ()
        self._recorder.record(Entry(facts, who, assessment, None, within, assumed, counted))


_AMOUNTS: Final = frozenset({names.COST_AMOUNT, names.ALIAS_USAGE_COST})
"""Where one of these is, the other has no place: one is inside the name of the other."""
_FOREMOST: Final = (names.COST_STATUS, names.COST_AMOUNT, names.COST_OURS)


def _first(said: Attributes, present: Mapping[str, Any]) -> Attributes:
    """What is not ``present`` yet, the most important first: there may not be room for all."""
    said = {name: said[name] for name in _FOREMOST if name in said} | said
    return {name: value for name, value in said.items() if name not in present}


def _compared(assessment: Assessment, reading: Reading) -> Assessment:
    """``assessment`` with the emitter's own amount beside it, where the two differ."""
    ours, theirs = assessment.cost, reading.reported
    if ours is None or theirs is None:
        return assessment
    if abs(ours - float(theirs)) <= TOLERANCE * max(ours, float(theirs)):
        return assessment
    return assessment._replace(other=float(theirs))


def _who(reading: Reading, begun: Begun | None, enclosing: Sequence[ReadableSpan]) -> Attribution:
    """Who spends: as the application said, else as the emitter did; and the step."""
    who = begun.who if begun is not None else attribution.current()
    if reading.who is not NOBODY:
        # Both are attributions: what the first left open is taken from the second.
        who = who._replace(
            **{
                field: value
                for field, said, value in zip(Attribution._fields, who, reading.who, strict=True)
                if said is None and value is not None
            }
        )
    if who.step is None:
        within = begun.within if begun is not None else nearest(enclosing)
        facts = reading.facts
        call = names.span_name(facts.operation, facts.request_model or facts.response_model)
        who = who._replace(step=who.agent or within or call)
    return who


def records_tokens(span: ReadableSpan) -> bool:
    """Whether the tracer that made it records the tokens of calls by itself."""
    scope = span.instrumentation_scope
    if scope is None:
        return False
    attributes = span.attributes or {}
    return any(
        one.records_tokens and not (one.uncounted is not None and one.uncounted(attributes))
        for one in of_scope(scope.name)
    )


def _counted(span: ReadableSpan, begun: Begun | None) -> bool:
    """Whether its tracer records the tokens of a call, or one around it, in it or beside it."""
    if records_tokens(span) or (begun is not None and begun.counted):
        return True
    near = next(filter(is_call, live.counting_near(span)), None)
    if near is not None:
        live.take_counting(near, span.end_time or 0)
    return near is not None


def is_our_call(span: ReadableSpan) -> bool:
    """Whether it is a span of ours of one call: what begins in it belongs to that call."""
    scope = span.instrumentation_scope
    if scope is None or scope.name != names.SCOPE:
        return False
    if span.context is not None and by_hand.is_open(span.context.span_id):
        return False  # what is inside may pay for itself
    return named_operation(span.attributes or {}) is not None


def _our_call_in(enclosing: Iterable[ReadableSpan]) -> int | None:
    return next(
        (one.context.span_id for one in enclosing if one.context and is_our_call(one)), None
    )


def _sight(
    reading: Reading, span: ReadableSpan, context: SpanContext, outer: Sequence[int]
) -> Sight:
    facts = reading.facts
    usage = None if facts.usage is None else facts.usage.billed()
    return Sight(
        context.trace_id,
        context.span_id,
        outer,
        facts.scope,
        facts.response_id,
        models_of(facts.request_model, facts.response_model),
        None if usage is None else tokens_of(usage.input_tokens, usage.output_tokens),
        facts.start_ns,
        span.end_time or 0,
    )


_TOLD: Final = (
    names.RESPONSE_ID,
    names.REQUEST_MODEL,
    names.RESPONSE_MODEL,
    names.USAGE_INPUT_TOKENS,
    names.USAGE_OUTPUT_TOKENS,
)


def _told(present: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a span of ours tells its call from others by: not the prompt that may be on it too."""
    return {name: present[name] for name in _TOLD if name in present}


def _sight_of_ours(
    context: SpanContext, outer: Sequence[int], told: Mapping[str, Any], start_ns: int, end_ns: int
) -> Sight:
    response_id = told.get(names.RESPONSE_ID)
    return Sight(
        context.trace_id,
        context.span_id,
        outer,
        names.SCOPE,
        response_id if isinstance(response_id, str) else None,
        models_of(told.get(names.REQUEST_MODEL), told.get(names.RESPONSE_MODEL)),
        tokens_of(told.get(names.USAGE_INPUT_TOKENS), told.get(names.USAGE_OUTPUT_TOKENS)),
        start_ns,
        end_ns,
    )
