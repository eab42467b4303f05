"""The tracer inside the ``anthropic`` client: ours in place of its span of a call, or on it.

From 2.0 on the client traces itself. ``FARTHING_ANTHROPIC_NATIVE`` says what becomes of its span of
a call that is ours; whichever it is, there is one span, one cost and one set of metrics.

- ``replace``: the client sends our trace context with the request, as it would its own, and makes
  no span. To its own host it needs none for that; where a request may be signed, the client must
  write the headers itself, after the signature, so it is given our span in a form that it cannot
  write to.
- ``keep``: the client's span carries what ours would: attribution, usage, cost, content. The client
  ends its span when the bytes of a body end, which may be before our call does; so that end waits
  for ours, and keeps its time. Where the client makes no span, because its tracing is turned off,
  is no-op or is not there yet (0.x), there is ours.

Every other call keeps the client's span as it is. A client that traces itself where we cannot get
at its span is not instrumented at all: a second span would be a second cost.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import wrapt
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span

from farthing.call import Call, calling
from farthing.patching import Patch
from farthing.reading import said
from farthing.telemetry import log
from farthing_processor import semconv as names
from farthing_processor.readers import fields
from farthing_processor.settings import Settings

if TYPE_CHECKING:
    _Proxy = wrapt.ObjectProxy[Span]
else:  # older versions know no parameters
    _Proxy = wrapt.ObjectProxy


class _Held(_Proxy):
    """The client's span, as the client has it: it cannot end before our call is over."""

    _self_ended: int | None = None

    def end(self, end_time: int | None = None) -> None:
        self._self_ended = self._self_ended or end_time or time.time_ns()

    def release(self, end_time: int) -> None:
        """End the span: when the client did, else at ``end_time``. The client is done with it."""
        span = self.__wrapped__
        # What the client may still say, when the body is dropped at last, has nowhere to go.
        self.__wrapped__ = NonRecordingSpan(span.get_span_context())
        span.end(self._self_ended or end_time)


def _opened(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    """Wrapper of what opens the client's span of a call: which span the client is to have."""
    call = calling()
    if call is None or call.native_met:
        return wrapped(*args, **kwargs)
    call.native_met = True
    span = wrapped(*args, **kwargs) if call.awaits_span else None
    try:
        if call.awaits_span:
            if span is not None and _is_its_own(span):
                held = _Held(span)
                call.adopt(span, held.release)
                return held
            call.start_instead()
        if call.span.get_span_context().is_valid:
            _keep_conversation(call, kwargs.get("attributes", args[3] if len(args) > 3 else None))
            if call.request.server_address == _UNSIGNED and _sent_along(call.span, *args, **kwargs):
                return None
            return NonRecordingSpan(call.span.get_span_context())
    except Exception:
        log.debug("The client's span was left alone", exc_info=True)
    return wrapped(*args, **kwargs) if span is None else span


def _is_its_own(span: Span) -> bool:
    """Whether ``span`` is a new one, sampled or not: a no-op tracer gives back the current one."""
    made, current = span.get_span_context(), trace.get_current_span().get_span_context()
    return made.is_valid and made.span_id != current.span_id


def _keep_conversation(call: Call, given: object) -> None:
    conversation = said(fields(given), names.CONVERSATION_ID)
    if conversation is not None:  # the application gave it to the client: it is not lost
        call.request.attributes[names.CONVERSATION_ID] = conversation
        call.span.set_attribute(names.CONVERSATION_ID, conversation)


_UNSIGNED: Final = "api.anthropic.com"
"""The host whose requests are never signed."""


def _sent_along(
    span: Span, _tracer: object, _url: object, options: Any, *_: object, **given: Any
) -> bool:
    """Whether the request carries the trace context of ``span`` now, if the client is to send it.

    ``options`` are the client's own copy for this request.
    """
    if given.get("propagation", True):
        headers = getattr(sys.modules.get("anthropic._tracing"), "trace_headers", None)
        if headers is None:
            return False
        options.headers = {**fields(options.headers), **headers(span)}
    return True


def makes_span(client: Any, settings: Settings) -> bool:
    """Whether the span of a call of ``client`` is to be the client's own, as far as can be told
    before it is made."""
    return settings.anthropic_native == "keep" and getattr(client, "_tracer", None) is not None


def known(base_client: ModuleType) -> bool:
    """Whether the client does not trace itself (0.x), or does it where we can get at its span."""
    return _reachable(base_client) or not hasattr(base_client.BaseClient, "_tracer")


def _reachable(base_client: ModuleType) -> bool:
    return hasattr(base_client, "start_api_call_span")


PATCHES: Final = (Patch("anthropic._base_client", "start_api_call_span", _opened, _reachable),)
