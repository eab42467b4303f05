"""The span exporter: what the span processor does, around an exporter, by public API alone.

    provider.add_span_processor(BatchSpanProcessor(CostSpanExporter(OTLPSpanExporter())))

For a version of the SDK that lets the processor add nothing. What a span is inside of is known here
only by the id of its parent, so a `CostSpanProcessor` beside it, which still sees spans begin, says
more exactly who spent it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util import BoundedList

from farthing_processor.assessment import AttributeValue
from farthing_processor.dialects import MARKS
from farthing_processor.pricing import configuring
from farthing_processor.recording import recorder
from farthing_processor.span_pricing import SpanPricer
from farthing_processor.span_processor import EXPORTERS, fitting
from farthing_processor.watching import watch

_T = TypeVar("_T")
_log: Final = logging.getLogger("farthing")


class CostSpanExporter(SpanExporter):
    """Hands every span to ``exporter``, priced. Raises only what that raises.

    ``options`` and ``meter_provider`` are those of `CostSpanProcessor`.
    """

    def __init__(
        self, exporter: SpanExporter, meter_provider: MeterProvider | None = None, **options: object
    ) -> None:
        chosen = configuring.load(options)
        self._exporter = exporter
        EXPORTERS.append(id(self))
        self._pricer = SpanPricer(
            chosen, recorder(chosen, meter_provider), watch(chosen, meter_provider)
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([self._priced(span) for span in spans])

    def _priced(self, span: ReadableSpan) -> ReadableSpan:
        try:
            if MARKS.isdisjoint(span.attributes or ()):
                return span
            added = fitting(self._pricer.added(span), span)
            return _with(span, added) if added else span
        except Exception:
            _log.debug("A span was not priced", exc_info=True)
            return span

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _with(span: ReadableSpan, added: Mapping[str, AttributeValue]) -> ReadableSpan:
    """A copy of ``span`` that says more; what the limits have cost it is still told."""
    attributes = BoundedAttributes(None, {**(span.attributes or {}), **added})
    attributes.dropped = span.dropped_attributes
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=_bounded(span.events, span.dropped_events),
        links=_bounded(span.links, span.dropped_links),
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _bounded(items: Sequence[_T], dropped: int) -> Sequence[_T]:
    kept = cast(Any, BoundedList)(len(items))
    kept.extend(items)
    kept.dropped = dropped
    return kept
