"""One call's life: begin, first chunk, finish or fail, exactly once; its span and its metrics."""

from __future__ import annotations

import atexit
import functools
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from farthing import estimating, span_attributes
from farthing.capture import Said
from farthing.endpoint import Answer, Attributes, Body, Endpoint, Request
from farthing.estimating import Estimate
from farthing.telemetry import Telemetry, log
from farthing_processor import attribution, by_hand, live, runs
from farthing_processor import semconv as names
from farthing_processor.assessment import NOTHING, assess, paid_elsewhere
from farthing_processor.facts import Facts
from farthing_processor.prompts import fingerprint
from farthing_processor.recording import Entry, before_collection
from farthing_processor.steps import with_step
from farthing_processor.usage import Usage

_P = ParamSpec("_P")
_T = TypeVar("_T")


def guarded(function: Callable[_P, None]) -> Callable[_P, None]:
    """The same function, never raising: whatever goes wrong in here is not the caller's affair."""

    @functools.wraps(function)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception:
            log.debug("A call was not recorded in full", exc_info=True)

    return safe


class Call:
    """One logical request to a model, its client's own retries included.

    Made just before the provider is called, which is done ``with`` it; ended by the first `finish`,
    `fail` or `abandon`, from whichever thread comes first.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_end_span",
        "_fingerprint",
        "_first_chunk_s",
        "_open",
        "_parent",
        "_process",
        "_prompt",
        "_request_usage",
        "_start_ns",
        "_started",
        "_telemetry",
        "_who",
        "_within",
        "attempts",
        "awaits_span",
        "by_hand",
        "endpoint",
        "hidden",
        "inside",
        "native_met",
        "parsed",
        "request",
        "requested",
        "span",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        endpoint: Endpoint,
        request: Request,
        body: Body,
        awaits_span: bool = False,
    ) -> None:
        if _abandoned:
            settle()
        _settle_at_exit()
        self._parent = parent = context.get_current()
        name = names.span_name(endpoint.operation, request.model)
        self._who = with_step(attribution.current(parent), name, parent)
        self._telemetry = telemetry
        self.endpoint = endpoint
        self.request = request
        self._first_chunk_s: float | None = None
        # pop() on a list is atomic, with or without the interpreter lock: the first one ends us.
        self._open = [True]
        self._process = os.getpid()
        self.attempts = 1
        self.requested = False
        """Whether the client's ``request`` has been reached for it."""
        self.hidden: Callable[[Any], bool] | None = None
        """Which streamed events the application did not ask for, and is not to see."""
        self.awaits_span = awaits_span
        """Whether the client is about to make the span that is to be ours."""
        self.native_met = False
        """Whether the client's own tracer has already come for the span of this call."""
        self.by_hand = by_hand.around(parent)
        """The call that is reported by hand which it is inside of, or which it is itself."""
        self.inside = True
        self.parsed: object = None
        """A response that the client has read, though it may yet refuse it."""
        self._start_ns = time.time_ns()
        self._started = time.perf_counter()
        self.span: Span = trace.INVALID_SPAN
        self._end_span: Callable[[int], None] = self.span.end
        self._within: Context = attribution.without_baggage(parent)
        if not awaits_span:
            self._start()
        by_request = endpoint.request_usage
        self._request_usage = _read(by_request, body) if by_request is not None else None
        useful, whole = telemetry.watch.wants(self._who)
        self._fingerprint = _read(lambda asked: fingerprint(asked, whole), body) if useful else None
        self._prompt = _read(endpoint.prompt, body) if self.with_content else None
        self._asked: Said | None = None
        if self._prompt is not None and self._captures:
            self._asked = telemetry.capture.asked(self._prompt)

    def _starting(self) -> Attributes:
        started = span_attributes.at_start(self.endpoint.operation, self.request)
        return started | self._who.attributes()

    def _start(self) -> None:
        """Start a span of our own; where a span processor breaks on it, the call still counts."""
        self.awaits_span = False
        try:
            span = self._telemetry.tracer.start_span(
                names.span_name(self.endpoint.operation, self.request.model),
                self._parent,
                SpanKind.CLIENT,
                self._starting(),
                start_time=self._start_ns,
            )
        except Exception:
            log.debug("A span was not started", exc_info=True)
            return
        self._take(span, span.end)

    def _take(self, span: Span, end: Callable[[int], None]) -> None:
        self.span = span
        self._end_span = end
        self._within = trace.set_span_in_context(span, self._within)

    def adopt(self, span: Span, end: Callable[[int], None]) -> None:
        """Have ``span``, which the client made, be the call's own; ``end`` is what will end it."""
        self.awaits_span = False
        self._take(span, end)
        span.set_attributes(self._starting())

    def start_instead(self) -> None:
        """The client made no span: start ours, and have the provider called in it from here on."""
        self._start()
        self.__enter__()

    @property
    def with_content(self) -> bool:
        """Whether anyone wants to know what was asked and answered, or how long it was."""
        return self._captures or self._telemetry.settings.estimate

    @property
    def _captures(self) -> bool:
        settings = self._telemetry.settings
        return settings.content_in_events or (
            settings.content_on_spans and (self.awaits_span or self.span.is_recording())
        )

    def __enter__(self) -> None:
        """Make the call's span the current one, and keep our baggage from the provider.

        For the time in which the provider is called, and no longer: never across a yield.
        """
        # Not kept: a context that holds us would wait for the garbage collector with us.
        context.attach(context.set_value(live.CALL, self, self._within))

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Make current what was current before, where ours still is; an exception fails the call.

        Set, without a token: a coroutine may be closed from another context than the one
        it was begun in, where a token means nothing and detaching it logs an error.
        """
        if calling() is self:
            context.attach(self._parent)
        if error is not None:
            self.fail(error, self.parsed)

    def first_chunk(self) -> None:
        """The first streamed event has arrived."""
        self._first_chunk_s = time.perf_counter() - self._started

    def finish(self, body: object, whole: bool = True) -> None:
        """The provider answered; or the application stopped reading a stream, which is no error:
        the answer is not ``whole`` then.

        ``body`` is the response, or what the events of a stream folded to so far.
        """
        self.end(body, None, whole=whole)

    def fail(self, error: BaseException, body: object = None) -> None:
        """The call raised; ``body`` is what had arrived of its answer."""
        self.end(body, type(error).__qualname__)

    def abandon(self, body: object) -> None:
        """The stream was dropped: `finish`, for a finaliser; ``body`` may be what makes the body.

        The garbage collector runs finalisers anywhere, in the middle of an SDK that holds its locks
        too, and ending a span takes those locks. So this only notes when it was; `settle` ends the
        call at the next one, the next collection of metrics, or exit.
        """
        _abandoned.append((self, body, time.perf_counter()))

    @guarded
    def end(
        self, body: object, error_type: str | None, ended: float | None = None, whole: bool = True
    ) -> None:
        """Report the call and end its span, the first time; ``ended`` is when, now by default."""
        try:
            self._open.pop()
        except IndexError:
            return
        if self._process != os.getpid():
            return  # a stream that a fork took along is its parent's to report
        duration_s = (ended or time.perf_counter()) - self._started
        if self.awaits_span:  # it never came
            self._start()
        try:
            self._report(body, error_type, duration_s, whole)
        finally:
            # One clock for span and metrics: the duration is the same to the nanosecond.
            self._end_span(self._start_ns + round(duration_s * 1e9))
            self.parsed = None

    def _report(self, body: object, error_type: str | None, duration_s: float, whole: bool) -> None:
        request, endpoint = self.request, self.endpoint
        answer, usage, payer = _NO_ANSWER, None, endpoint.payer(body, self._who)
        if body is not None:
            answer = _read(endpoint.answer, body) or _NO_ANSWER
            usage = _read(endpoint.usage, body) if payer is not None else None
        if usage is None and error_type is None:
            usage = self._request_usage
        elif usage is not None and not usage.tier:
            usage = answer.as_asked(usage, request)
        estimate = None
        if payer is not None and self._telemetry.settings.estimate:
            estimate = self._estimate(body, answer, usage)
        facts = Facts(
            provider=request.provider,
            request_model=request.model,
            response_model=answer.model,
            server_address=request.server_address,
            operation=endpoint.operation,
            usage=usage,
            start_ns=self._start_ns,
            duration_s=duration_s,
            stream=request.stream,
            error_type=error_type or answer.error_type,
            attempts=self.attempts,
            scope=names.SCOPE,
            response_id=answer.id,
            estimate=estimate and estimate.usage,
            output_seen=self._first_chunk_s is not None,
            abandoned=request.stream and not whole and not answer.is_whole(usage),
            prompt=self._fingerprint,
        )
        who = payer or self._who
        watch = self._telemetry.watch
        span_id = self.span.get_span_context().span_id
        paid = self.by_hand and self.by_hand.paid(self.inside)
        assessment = NOTHING if payer is None or paid is not None else assess(facts, who, watch)
        if self.by_hand is not None and assessment.cost is not None:
            paid = self.by_hand.pay(span_id, self.inside)
        if paid is not None:
            assessment = paid_elsewhere(paid)
        if self.span.is_recording() or self._prompt is not None:
            aliases = self._telemetry.settings.cost_aliases
            attributes = span_attributes.at_end(facts, answer, assessment, aliases)
            if who is not self._who:
                attributes.update(who.attributes())
            if estimate is not None:
                attributes[names.ESTIMATED_OUTPUT] = estimate.output_tokens
                if estimate.input_tokens is not None:
                    attributes[names.ESTIMATED_INPUT] = estimate.input_tokens
            if self._first_chunk_s is not None:
                attributes[names.RESPONSE_TIME_TO_FIRST_CHUNK] = self._first_chunk_s
            if facts.error_type is not None:
                # Without a description: a provider's message can quote the prompt or the key.
                self.span.set_status(Status(StatusCode.ERROR))
            self.span.set_attributes(attributes)
            if self._asked is not None:
                self._report_content(self._asked, body, attributes, duration_s)
        if paid is None:
            entry = Entry(facts, who, assessment, self._first_chunk_s, self._within)
            self._telemetry.recorder.record(entry, logged=not self.inside)

    def _estimate(self, body: object, answer: Answer, usage: Usage | None) -> Estimate | None:
        """What the call may have come to, if its usage never came; else learn from what it did."""
        model = answer.model or self.request.model
        output = _read(self.endpoint.output, body) if body is not None else None
        if not model or not output:
            return None
        known = self.request.provider, model, estimating.asked(self._prompt)
        written = estimating.said(output)
        if usage is not None and usage.complete:
            return estimating.RATIOS.learn(*known, written, usage)
        return estimating.RATIOS.estimate(*known, written, usage)

    @guarded
    def _report_content(
        self, asked: Said, body: object, attributes: Attributes, duration_s: float
    ) -> None:
        """Say what was asked and answered, where it was asked for."""
        settings, capture = self._telemetry.settings, self._telemetry.capture
        output = _read(self.endpoint.output, body) or [] if body is not None else []
        said = asked | capture.answered(output)
        if settings.content_on_spans and self.span.is_recording():
            capture.on_span(said, self.span)
        if settings.content_in_events and self.endpoint.operation in names.INFERENCE:
            ended_ns = self._start_ns + round(duration_s * 1e9)
            capture.emit(said, self._starting() | attributes, self._within, ended_ns)


class Unrecorded:
    """The time of a request that is no call: no provider may learn who our users are there either.

    Set without a token, as a call is.
    """

    __slots__ = ("_outside", "_within")

    def __enter__(self) -> None:
        self._outside = context.get_current()
        self._within = attribution.without_baggage(self._outside)
        if self._within is not self._outside:
            context.attach(self._within)

    def __exit__(self, *_: object) -> None:
        if self._within is not self._outside and context.get_current() is self._within:
            context.attach(self._outside)


_abandoned: Final[deque[tuple[Call, object, float]]] = deque()


def settle() -> None:
    """End the calls whose streams were dropped."""
    while True:
        try:
            call, body, ended = _abandoned.popleft()
        except IndexError:
            return
        call.end(body() if callable(body) else body, None, ended, whole=False)


before_collection(settle)
runs.before_end(settle)


@functools.cache
def _settle_at_exit() -> None:
    """Settle before the SDK shuts down: called with the first call, when there is an SDK, because
    what registers last runs first."""
    atexit.register(settle)


def calling() -> Call | None:
    """The call whose provider is being called right now, if any."""
    call = context.get_value(live.CALL)
    return call if isinstance(call, Call) else None


_NO_ANSWER: Final = Answer()


def _read(reader: Callable[[Any], _T | None], body: Any) -> _T | None:
    """What ``reader`` finds in a body; nothing where it stumbles, so that it hides nothing else."""
    try:
        return reader(body)
    except Exception:
        log.debug("A body was not understood", exc_info=True)
        return None
