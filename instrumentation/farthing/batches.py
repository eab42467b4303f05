"""Batches: recording the results of the providers' batch APIs, which no call ever returns."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from decimal import Context as Arithmetic
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from farthing import batch_results, span_attributes, telemetry
from farthing.call import guarded
from farthing.endpoint import Answer, Request
from farthing.telemetry import Telemetry, log
from farthing_processor import attribution
from farthing_processor import semconv as names
from farthing_processor.assessment import NOTHING, Assessment, assess, flagged
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing.hosts import HOSTS, provider_of
from farthing_processor.pricing.names import PROVIDERS
from farthing_processor.recording import Entry
from farthing_processor.steps import with_step

REMEMBERED: Final = 100_000
"""Results kept in mind, the latest ones: as many as the largest batch has (Anthropic's; OpenAI's
has 50,000)."""


class BatchSummary(NamedTuple):
    """What `record_batch` made of the results it was given. Immutable."""

    calls: int
    """Results recorded, each as one call."""
    repeated: int
    """Results that this process had recorded before."""
    failed: int
    """Requests that failed, expired or were cancelled: not billed, and not recorded."""
    unreadable: int
    """Lines that are not the result of a batch: logged, and not recorded."""
    unpriced: int
    """Of ``calls``, those without a cost: no price is known, or no usage was reported."""
    usd: Decimal
    """The sum of the costs of ``calls``, exact, in USD."""


def record_batch(results: object, *, provider: str | None = None) -> BatchSummary:
    """Record the results of a batch at batch rates: one span and one set of metrics for each.

    ``results`` is what ``client.files.content(batch.output_file_id)`` or
    ``client.messages.batches.results(batch.id)`` returns; its text or bytes; an open file of it; or
    any iterable of its lines or decoded results. ``provider`` is the ``gen_ai.provider.name`` of
    who served them (``azure.ai.openai``): without it the host they were downloaded from, where
    ``results`` says one that is known, else ``openai`` or ``anthropic``, whose shape they have.

    The current workflow, step and agent pay. Prices are those of the moment at which the provider
    says the response was made, else of now. Spans begin and end now, as points of metrics do: no
    provider says which of the batch's hours went to a request, so there is no duration, and a span
    that began a day before its parent is one that many backends drop. Prompts and answers are not
    recorded.

    A result is recorded once in this process, by the id of its response, the latest 100,000 of
    them: after a download that broke off, giving the results again records the rest. Reports where
    `farthing.instrument` said, or to the global providers if it was not called; without any, the
    summary is all there is. Waits for the span exporter from time to time, so that none is lost.

    Raises TypeError for what is none of these shapes, ValueError for an unknown provider and where
    nothing given is the result of a batch, and whatever iterating over ``results`` raises.
    """
    if provider is not None and provider not in _KNOWN:
        known = ", ".join(sorted(_KNOWN))
        raise ValueError(f"No provider is called {provider!r}: give one of {known}.")
    lines = batch_results.lines(results)
    host = batch_results.host(results)
    recording = _Recording(telemetry.in_use(), provider, host)
    for line in lines:
        if not (isinstance(line, str | bytes) and not line.strip()):
            recording.add(line)
    return recording.summary()


_KNOWN: Final = frozenset({*HOSTS.values(), *PROVIDERS, names.PROVIDER_OTHER})

_Outcome = Literal["priced", "unpriced", "repeated", "failed", "unreadable"]


class _Recording:
    """The recording of one batch, and what has become of its results so far."""

    def __init__(self, telemetry: Telemetry, provider: str | None, host: str | None) -> None:
        served_by = provider_of(host)
        self._provider = provider or (None if served_by == names.PROVIDER_OTHER else served_by)
        self._host = host
        self._telemetry = telemetry
        self._parent = context.get_current()
        self._who = attribution.current(self._parent)
        self._outcomes: Counter[_Outcome] = Counter()
        self._usd = Decimal(0)
        self._first_unreadable = 0
        self._pace = _Pace(telemetry)

    def add(self, line: object) -> None:
        """Record one result, if it is one, was billed and is new."""
        try:
            outcome = self._add(line)
        except Exception:
            log.debug("A line of a batch was not understood", exc_info=True)
            outcome = "unreadable"
        self._outcomes[outcome] += 1
        if outcome == "unreadable" and not self._first_unreadable:
            self._first_unreadable = self._outcomes.total()

    def summary(self) -> BatchSummary:
        """What became of all of them. Raises ValueError if not one was a result."""
        counts, lines = self._outcomes, self._outcomes.total()
        unreadable, unpriced = counts["unreadable"], counts["unpriced"]
        if unreadable and unreadable == lines:
            raise ValueError(f"Nothing given is the result of a batch: {batch_results.TAKES}.")
        if unreadable:
            log.warning(
                "record_batch() left out %d of %d lines, the first of them line %d: they are not "
                "the result of a batch, so look whether the file is whole",
                unreadable,
                lines,
                self._first_unreadable,
            )
        calls = counts["priced"] + unpriced
        return BatchSummary(
            calls, counts["repeated"], counts["failed"], unreadable, unpriced, self._usd
        )

    def _add(self, line: object) -> _Outcome:
        result = batch_results.read(line)
        if result is None:
            return "unreadable"
        if result.endpoint is None:
            return "failed"
        operation, answer = result.endpoint.operation, result.endpoint.answer(result.body)
        name = names.span_name(operation, answer.model)
        who = with_step(self._who, name, self._parent)
        facts = Facts(
            provider=self._provider or result.provider,
            request_model=None,
            response_model=answer.model,
            server_address=self._host,
            operation=operation,
            usage=result.usage(),
            start_ns=result.made_ns(),
            duration_s=None,
            error_type=answer.error_type,
            scope=names.SCOPE,
            response_id=answer.id,
        )
        assessment = assess(facts, who)
        if assessment is NOTHING:
            return "failed"
        if not _RECORDED.add(facts.provider, answer.id or result.id):
            return "repeated"
        assessment = flagged(assessment, facts, who, self._telemetry.watch)
        self._emit(name, facts, answer, who, assessment)
        if assessment.cost is None:
            return "unpriced"
        # The shortest text of the double nearest to an amount is that amount, up to 15 digits:
        # trillionths of a dollar, of a response that costs less than a thousand.
        self._usd = _EXACT.add(self._usd, Decimal(str(assessment.cost)))
        return "priced"

    @guarded
    def _emit(
        self, name: str, facts: Facts, answer: Answer, who: Attribution, assessment: Assessment
    ) -> None:
        """One result's span and metrics."""
        request = Request(facts.provider, None, self._host, None, False, {names.BATCH: True})
        started = span_attributes.at_start(facts.operation, request) | who.attributes()
        span: Span = trace.INVALID_SPAN
        try:
            span = self._telemetry.tracer.start_span(name, self._parent, SpanKind.CLIENT, started)
        except Exception:  # someone's span processor broke on it: the call still counts
            log.debug("A span was not started", exc_info=True)
        within = trace.set_span_in_context(span, self._parent)
        self._telemetry.recorder.record(Entry(facts, who, assessment, None, within))
        if span.is_recording():
            aliases = self._telemetry.settings.cost_aliases
            span.set_attributes(span_attributes.at_end(facts, answer, assessment, aliases))
            if facts.error_type is not None:
                span.set_status(Status(StatusCode.ERROR))
            span.end()
            self._pace.ended()


_EXACT: Final = Arithmetic(prec=60)
"""Whatever precision the application's own arithmetic has."""


class _Pace:
    """Keeps from making spans faster than they are exported: what the SDK cannot queue, it drops.

    Its queue holds 2048 spans by default, and a batch is recorded at thousands a second.
    """

    EVERY: Final = 512
    """Spans: as many as the SDK exports at once."""
    PATIENCE_S: Final = 5.0
    """Seconds that an export may take; one that takes longer is the last to be waited for, because
    an endpoint that is down would be waited for each time."""

    def __init__(self, telemetry: Telemetry) -> None:
        # The SDK's tracer knows its processors; one that came before its provider does not.
        processors = getattr(telemetry.tracer, "span_processor", trace.get_tracer_provider())
        self._flush: Any = getattr(processors, "force_flush", None)
        self._spans = 0

    def ended(self) -> None:
        """One more span has ended."""
        self._spans += 1
        if self._flush is None or self._spans % self.EVERY:
            return
        begun = time.monotonic()
        try:
            self._flush()
        finally:
            if time.monotonic() - begun > self.PATIENCE_S:
                self._flush = None


class Recorded:
    """The results recorded in this process, the latest ones. Thread-safe."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, provider: str, id: str | None) -> bool:
        """Whether a result is new, which it then no longer is. One without an id always is."""
        if id is None:
            return True
        with self._lock:
            if (provider, id) in self._keys:
                return False
            self._keys[provider, id] = None
            if len(self._keys) > self._remembered:
                self._keys.popitem(last=False)
        return True


_RECORDED: Final = Recorded()
