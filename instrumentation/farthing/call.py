"""One call's life: begin, first chunk, finish or fail, exactly once; its span and its metrics."""

from __future__ import annotations

import atexit
import functools
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from farthing.telemetry import Telemetry, log
from farthing_processor import attribution
from farthing_processor import semconv as names
from farthing_processor.assessment import AttributeValue, assess
from farthing_processor.facts import Facts
from farthing_processor.recording import Entry, before_collection
from farthing_processor.usage import Usage

Attributes = dict[str, AttributeValue]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_CALL_KEY: Final = context.create_key("farthing-call")


class Request(NamedTuple):
    """What is known before a call is made. Immutable."""

    provider: str
    model: str | None
    server_address: str | None
    server_port: int | None
    stream: bool
    attributes: Attributes
    """Further span attributes."""


class Answer(NamedTuple):
    """What a response says of itself, its usage aside. Immutable."""

    id: str | None = None
    model: str | None = None
    error_type: str | None = None
    """Set where the provider answered in full, and the answer is that it failed."""
    attributes: Mapping[str, AttributeValue] = {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a client library's file says of one thing that can be called."""

    operation: str
    """``gen_ai.operation.name``."""
    request: Callable[[Any, bool], Attributes]
    """(request body, with content) → span attributes, the model aside."""
    answer: Callable[[Any, bool], Answer]
    """(response body, with content) → what it says."""
    usage: Callable[[Any], Usage | None]
    """Response body → usage."""
    fold: Callable[[dict[str, Any], Any, bool], None]
    """(body so far, streamed event, with content): add the event to a body of the response's own
    shape, keeping no event."""


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
        "_context",
        "_first_chunk_s",
        "_open",
        "_parent",
        "_process",
        "_start_ns",
        "_started",
        "_telemetry",
        "_who",
        "attempts",
        "endpoint",
        "native_replaced",
        "request",
        "span",
    )

    def __init__(self, telemetry: Telemetry, endpoint: Endpoint, request: Request) -> None:
        if _abandoned:
            settle()
        _settle_at_exit()
        operation, model = endpoint.operation, request.model
        name = f"{operation} {model}" if model else operation
        self._parent = parent = context.get_current()
        self._who = attribution.with_step(attribution.current(parent), name, parent)
        self._telemetry = telemetry
        self.endpoint = endpoint
        self.request = request
        self._first_chunk_s: float | None = None
        # pop() on a list is atomic, with or without the interpreter lock: the first one ends us.
        self._open = [True]
        self._process = os.getpid()
        self.attempts = 1
        self.native_replaced = False
        """Whether the client's own tracer has already been given our span in place of its own."""
        self._start_ns = time.time_ns()
        self._started = time.perf_counter()
        self.span: Span = telemetry.tracer.start_span(
            name,
            parent,
            SpanKind.CLIENT,
            _start_attributes(operation, request) | self._who.attributes(),
            start_time=self._start_ns,
        )
        within = attribution.without_baggage(trace.set_span_in_context(self.span, parent))
        self._context: Context = context.set_value(_CALL_KEY, self, within)

    @property
    def with_content(self) -> bool:
        return self._telemetry.settings.content_on_spans and self.span.is_recording()

    def __enter__(self) -> None:
        """Make the call's span the current one, and keep our baggage from the provider.

        For the time in which the provider is called, and no longer: never across a yield.
        """
        context.attach(self._context)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Make current what was current before, where ours still is; an exception fails the call.

        Set, without a token: a coroutine may be closed from another context than the one
        it was begun in, where a token means nothing and detaching it logs an error.
        """
        if calling() is self:
            context.attach(self._parent)
        if error is not None:
            self.fail(error)

    def first_chunk(self) -> None:
        """The first streamed event has arrived."""
        self._first_chunk_s = time.perf_counter() - self._started

    def finish(self, body: object) -> None:
        """The provider answered, or the application stopped reading a stream: not an error.

        ``body`` is the response, or what the events of a stream folded to so far.
        """
        self.end(body, None)

    def fail(self, error: BaseException, body: object = None) -> None:
        """The call raised; ``body`` is what had arrived of a stream."""
        self.end(body, type(error).__qualname__)

    def abandon(self, body: object) -> None:
        """The stream was dropped: `finish`, for a finaliser.

        The garbage collector runs finalisers anywhere, in the middle of an SDK that holds its locks
        too, and ending a span takes those locks. So this only notes when it was; `settle` ends the
        call at the next one, the next collection of metrics, or exit.
        """
        _abandoned.append((self, body, time.perf_counter()))

    @guarded
    def end(self, body: object, error_type: str | None, ended: float | None = None) -> None:
        """Report the call and end its span, the first time; ``ended`` is when, now by default."""
        try:
            self._open.pop()
        except IndexError:
            return
        if self._process != os.getpid():
            return  # a stream that a fork took along is its parent's to report
        duration_s = (ended or time.perf_counter()) - self._started
        try:
            self._report(body, error_type, duration_s)
        finally:
            # One clock for span and metrics: the duration is the same to the nanosecond.
            self.span.end(self._start_ns + round(duration_s * 1e9))
            # The context holds us: without this each call would wait for the garbage collector.
            self._context = self._parent

    def _report(self, body: object, error_type: str | None, duration_s: float) -> None:
        request, endpoint = self.request, self.endpoint
        answer, usage = _NO_ANSWER, None
        if body is not None:
            answer = _read(endpoint.answer, body, self.with_content) or _NO_ANSWER
            usage = _read(endpoint.usage, body)
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
            output_seen=self._first_chunk_s is not None,
        )
        assessment = assess(facts, self._who)
        if self.span.is_recording():
            attributes: Attributes = {**answer.attributes, **assessment.attributes}
            if answer.id:
                attributes[names.RESPONSE_ID] = answer.id
            if answer.model:
                attributes[names.RESPONSE_MODEL] = answer.model
            if usage is not None:
                _add_usage(attributes, usage.billed())
            if self._first_chunk_s is not None:
                attributes[names.RESPONSE_TIME_TO_FIRST_CHUNK] = self._first_chunk_s
            if self.attempts > 1:
                attributes[names.RETRIES] = self.attempts - 1
            if facts.error_type is not None:
                attributes[names.ERROR_TYPE] = facts.error_type
                # Without a description: a provider's message can quote the prompt or the key.
                self.span.set_status(Status(StatusCode.ERROR))
            self.span.set_attributes(attributes)
        entry = Entry(facts, self._who, assessment, self._first_chunk_s, self._context)
        self._telemetry.recorder.record(entry)


_abandoned: Final[deque[tuple[Call, object, float]]] = deque()


def settle() -> None:
    """End the calls whose streams were dropped."""
    while True:
        try:
            call, body, ended = _abandoned.popleft()
        except IndexError:
            return
        call.end(body, None, ended)


before_collection(settle)


@functools.cache
def _settle_at_exit() -> None:
    """Settle before the SDK shuts down: called with the first call, when there is an SDK, because
    what registers last runs first."""
    atexit.register(settle)


def calling() -> Call | None:
    """The call whose provider is being called right now, if any."""
    call = context.get_value(_CALL_KEY)
    return call if isinstance(call, Call) else None


_NO_ANSWER: Final = Answer()


def _read(reader: Callable[_P, _T | None], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What ``reader`` finds in a body; nothing where it stumbles, so that it hides nothing else."""
    try:
        return reader(*args, **kwargs)
    except Exception:
        log.debug("An answer was not understood", exc_info=True)
        return None


def _start_attributes(operation: str, request: Request) -> Attributes:
    attributes: Attributes = {
        names.OPERATION_NAME: operation,
        names.PROVIDER_NAME: request.provider,
    }
    if request.model:
        attributes[names.REQUEST_MODEL] = request.model
    if request.server_address:
        attributes[names.SERVER_ADDRESS] = request.server_address
        if request.server_port:
            attributes[names.SERVER_PORT] = request.server_port
    if request.stream:
        attributes[names.REQUEST_STREAM] = True
    attributes.update(request.attributes)
    return attributes


_DETAILS: Final = (
    (names.USAGE_CACHE_READ, "cache_read_tokens"),
    (names.USAGE_CACHE_WRITE, "cache_write_tokens"),
    (names.USAGE_REASONING, "reasoning_tokens"),
    (names.USAGE_AUDIO_INPUT, "input_audio_tokens"),
    (names.USAGE_AUDIO_OUTPUT, "output_audio_tokens"),
    (names.USAGE_AUDIO_CACHE_READ, "cache_read_audio_tokens"),
    (names.USAGE_IMAGE_INPUT, "input_image_tokens"),
    (names.USAGE_IMAGE_OUTPUT, "output_image_tokens"),
    (names.USAGE_IMAGE_CACHE_READ, "cache_read_image_tokens"),
)


def _add_usage(attributes: Attributes, usage: Usage) -> None:
    """Set the usage attributes: the totals where they are known, details where there are any."""
    if usage.input_tokens is not None:
        attributes[names.USAGE_INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        attributes[names.USAGE_OUTPUT_TOKENS] = usage.output_tokens
    for attribute, count in _DETAILS:
        value = getattr(usage, count)
        if value:
            attributes[attribute] = value
