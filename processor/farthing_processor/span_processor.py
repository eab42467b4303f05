"""The span processor: every span of a call to a model leaves with its cost, whoever made it.

    provider.add_span_processor(CostSpanProcessor())

It may be added before or after the exporter's own processor. A span is priced as it ends: in
between the moment it is frozen and the moment that exporters see it, for which the SDK has a hook
without a public name. What is set there is dropped up to 1.45 at least, so it is written past that;
whether this works is tried out when the processor is made. Where it does not, the processor says so
once, with the first span that it concerns, and `CostSpanExporter` around an exporter does the same
through the SDK's public API.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from farthing_processor import attribution, live
from farthing_processor import semconv as names
from farthing_processor.assessment import AttributeValue
from farthing_processor.attribution import NOBODY
from farthing_processor.dialects import MARKS, of_scope
from farthing_processor.outliers import Watch
from farthing_processor.pricing import configuring
from farthing_processor.recording import Recorder, recorder
from farthing_processor.settings import Settings
from farthing_processor.span_pricing import Begun, SpanPricer, is_our_call, records_tokens
from farthing_processor.steps import is_call, nearest
from farthing_processor.watching import watch

_log: Final = logging.getLogger("farthing")

EXPORTERS: Final[list[int]] = []
"""One for each `CostSpanExporter` there is, which does what we cannot."""


class CostSpanProcessor(SpanProcessor):
    """Prices the spans of other tracers as they end. Never raises; thread-safe.

    ``options`` are the settings of `farthing_processor.settings`, such as ``semconv="both"``; they
    win over the environment. Metrics go to ``meter_provider``, or to the global one.
    """

    def __init__(self, meter_provider: MeterProvider | None = None, **options: object) -> None:
        chosen = configuring.load(options)
        self._set_up(chosen, recorder(chosen, meter_provider), watch(chosen, meter_provider))

    @classmethod
    def over(cls, chosen: Settings, recorder: Recorder, watch: Watch) -> CostSpanProcessor:
        """One whose settings are parsed, and which shares its metrics and baselines."""
        made = cls.__new__(cls)
        made._set_up(chosen, recorder, watch)
        return made

    def _set_up(self, chosen: Settings, recorder: Recorder, watch: Watch) -> None:
        self._begun: dict[int, Begun] = {}
        self._used: tuple[Settings, Recorder, Watch] | None = None
        self._writes = can_write()
        self._warned = False
        self.use(chosen, recorder, watch)

    def use(self, chosen: Settings, recorder: Recorder, watch: Watch) -> None:
        """Price by these settings from now on; what was paid is remembered while they stay."""
        if self._used != (chosen, recorder, watch):
            self._used = chosen, recorder, watch
            self._pricer = SpanPricer(chosen, recorder, watch)
        self.active = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        live.begin(span)
        scope = span.instrumentation_scope
        if scope is None or not self.active:
            return
        try:
            if scope.name == names.SCOPE:
                if is_our_call(span):
                    live.begin_ours(span)
            elif of_scope(scope.name):
                self._begin(span, parent_context)
        except Exception:
            _log.debug("A span was not attributed", exc_info=True)

    def _begin(self, span: Span, parent_context: Context | None) -> None:
        """Say who spends, while it can be said through the public API."""
        who = attribution.current(parent_context)
        around = list(live.around(span)) if span.parent is not None else []
        if records_tokens(span):
            live.begin_counting(span)
        counted = any(map(records_tokens, around))
        recorded = context.get_value(live.CALL, parent_context) is not None
        begun = Begun(who, nearest(around), counted, recorded)
        self._begun[span.get_span_context().span_id] = begun
        if len(self._begun) > live.LIMIT:
            self._begun.pop(next(iter(self._begun)), None)
        stamped: dict[str, AttributeValue] = {**who.attributes()} if who is not NOBODY else {}
        ours = next(filter(is_our_call, around), None) if around else None
        if ours is not None and is_call(span):
            stamped[names.COST_DUPLICATE_OF] = f"{ours.get_span_context().span_id:016x}"
        if stamped:
            span.set_attributes(fitting(stamped, span))

    def _on_ending(self, span: Span) -> None:
        scope = span.instrumentation_scope
        if scope is None or not self.active or not self._writes:
            return
        try:
            # Most spans are about no model at all: this is all that they pay.
            if MARKS.isdisjoint(span.attributes or ()):
                return
            begun = self._begun.pop(span.get_span_context().span_id, None)
            added = self._pricer.added(span, live.around(span), begun)
            if added:
                write(span, added)
        except Exception:
            _log.debug("A span was not priced", exc_info=True)

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None:
            return
        try:
            span_id = span.context.span_id
            live.end(span_id)
            if self._begun and (begun := self._begun.pop(span_id, None)) is not None:
                self._end_unannounced(span, begun)
        except Exception:
            _log.debug("A span was not priced", exc_info=True)

    def _end_unannounced(self, span: ReadableSpan, begun: Begun) -> None:
        """A span of a known tracer ended without `_on_ending`: the SDK has no such hook, or whoever
        wraps this processor, as Logfire does, does not pass it on. Then it is as good to price it
        now, for exporters that come later."""
        if not self._writes:
            self._say_that_it_cannot_write()
        elif self.active and (added := self._pricer.added(span, (), begun)):
            write(span, added)

    def _say_that_it_cannot_write(self) -> None:
        """Said with the first span that would have a cost, to those who have such spans."""
        if not self._warned and self.active and not EXPORTERS:
            self._warned = True
            _log.warning(
                "This version of opentelemetry-sdk lets nothing be added to a span that ends, so "
                "the spans of other tracers have no cost: upgrade it, or put CostSpanExporter(...) "
                "around your exporter."
            )

    def shutdown(self) -> None:
        self.active = False

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def fitting(added: Mapping[str, AttributeValue], span: ReadableSpan) -> dict[str, AttributeValue]:
    """As much of ``added`` as ``span`` has room for, in order: one attribute more than the limit
    would evict the oldest, which is the application's."""
    limit: int | None = getattr(getattr(span, "_attributes", None), "maxlen", None)
    if limit is None or len(span.attributes or ()) + len(added) <= limit:
        return dict(added)
    return dict(list(added.items())[: max(limit - len(span.attributes or ()), 0)])


def write(span: ReadableSpan, added: Mapping[str, AttributeValue]) -> None:
    """Add to a span that ends what it does not say yet, as far as there is room."""
    # With https://github.com/open-telemetry/opentelemetry-python/pull/5613
    if isinstance(span, Span) and span.is_recording():
        span.set_attributes(fitting(added, span))
        return
    attributes: Any = span._attributes  # pyright: ignore[reportPrivateUsage]
    longest: int | None = getattr(attributes, "max_value_len", None)
    held: dict[str, Any] = getattr(attributes, "_dict", attributes)
    for name, value in fitting(added, span).items():
        if isinstance(value, str):
            value = value[:longest]
        elif isinstance(value, list):
            value = tuple(one[:longest] for one in value)
        # Not through its methods, which refuse: the span is frozen, and nobody has it yet.
        held[name] = value


@cache
def can_write() -> bool:
    """Whether `write` works with the SDK that is running: tried out on a span of nobody's."""

    class Writing(SpanProcessor):
        def _on_ending(self, span: Span) -> None:
            write(span, {"added": 1.0, "left out": "no room"})

    try:
        said = _tried(Writing(), {"own": 1}, SpanLimits(max_span_attributes=2))
    except Exception:
        return False
    # Without any span the SDK is turned off, and there is nothing to write to.
    return said in (None, {"own": 1, "added": 1.0})


def trial_cost() -> object:
    """USD that a span of another tracer leaves with, made here for nobody; None without any."""
    plain = Settings()
    trial = CostSpanProcessor.over(plain, recorder(plain, NoOpMeterProvider()), Watch())
    said = _tried(trial, _TRIAL, SpanLimits())
    return None if said is None else said.get(names.COST_AMOUNT)


_TRIAL: Final = {
    names.OPERATION_NAME: "chat",
    names.PROVIDER_NAME: "openai",
    names.REQUEST_MODEL: "gpt-4o",
    names.USAGE_INPUT_TOKENS: 1000,
    names.USAGE_OUTPUT_TOKENS: 100,
}


def _tried(
    processor: SpanProcessor, attributes: Mapping[str, str | int], limits: SpanLimits
) -> dict[str, Any] | None:
    """The attributes that a span of nobody's ends with; None where none is made."""
    ended: list[ReadableSpan] = []

    class Ended(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            ended.append(span)

    provider = TracerProvider(
        ALWAYS_ON, Resource.get_empty(), shutdown_on_exit=False, span_limits=limits
    )
    for one in (processor, Ended()):
        provider.add_span_processor(one)
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai")
    tracer.start_span("trial", Context(), attributes=attributes).end()
    return dict(ended[0].attributes or {}) if ended else None
