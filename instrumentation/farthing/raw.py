"""Raw responses: watching bytes that the application reads, or parses, by itself."""

from __future__ import annotations

import functools
import json
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

from farthing.call import Call, guarded
from farthing.telemetry import log

BODY_LIMIT: Final = 16 * 2**20
"""Bytes kept of one body, to read its usage at the end. A larger one ends as usage missing."""

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"


class _Reading:
    """The bytes seen so far of one body. Knows nothing of the response: a finaliser holds it."""

    def __init__(self, response: Any, call: Call) -> None:
        self.call: Call | None = call
        kind = cast(Any, type(response))
        self._response = kind, response.status_code, response.headers
        self._pieces: list[bytes] = []
        self._room = BODY_LIMIT if _media_type(response) in (_JSON, _EVENTS) else 0
        self._begun = False

    @guarded
    def see(self, piece: bytes) -> None:
        if self.call is None:
            return
        if not self._begun:
            self._begun = True
            if self.call.request.stream:
                self.call.first_chunk()
        self._room -= len(piece)
        if self._room >= 0:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    @guarded
    def end(self, error: BaseException | None = None) -> None:
        if self.call is None:
            return
        if error is None or isinstance(error, GeneratorExit):
            self.call.finish(self.body(), error is None)
        else:
            self.call.fail(error, self.body())

    def body(self) -> Any:
        """What was read, decoded and understood; None where it cannot be."""
        if self.call is None or self._room < 0 or not self._pieces:
            return None
        kind, status, headers = self._response
        try:
            # A response made of what was read undoes its content encoding, as the client would.
            read = kind(status, headers=headers, content=b"".join(self._pieces))
        except Exception:
            log.debug("The body of a raw response was not decoded", exc_info=True)
            return None
        return understood(read, self.call)


def understood(response: Any, call: Call) -> Any:
    """The body of a response that is read: JSON, or what its events fold to; of any other None."""
    try:
        if _media_type(response) == _JSON:
            return json.loads(response.content)
        if _media_type(response) == _EVENTS:
            return _folded(response.content, call)
    except Exception:
        log.debug("The body of a raw response was not understood", exc_info=True)
    return None


def _folded(read: bytes, call: Call) -> dict[str, Any]:
    folded: dict[str, Any] = {}
    for line in read.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            try:
                call.endpoint.fold(folded, json.loads(line[5:]), call.with_content)
            except Exception:
                log.debug("A streamed event was not understood", exc_info=True)
    return folded


def _media_type(response: Any) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


class _Tap:
    """Stands in for the byte stream inside a response: the only place that all readers come by."""

    _inner: Any
    _reading: _Reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_inner"], name)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._inner:
                self._reading.see(piece)
                yield piece
        except BaseException as error:
            self._reading.end(error)
            raise
        self._reading.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._inner:
                self._reading.see(piece)
                yield piece
        except BaseException as error:
            self._reading.end(error)
            raise
        self._reading.end()

    def close(self) -> None:
        self._reading.end(GeneratorExit())
        self._inner.close()

    async def aclose(self) -> None:
        self._reading.end(GeneratorExit())
        await self._inner.aclose()


@functools.lru_cache(maxsize=64)
def _tap_for(kind: type[Any]) -> Any:
    """A tap that still is a ``kind``: the client checks whether its stream is sync or async."""
    return type(kind.__name__, (_Tap, kind), {})


def watch(raw: Any, call: Call, on_parsed: Any) -> None:
    """Have ``call`` follow ``raw``, a raw response whose body the application has yet to read.

    ``on_parsed`` is called with what the client makes of a body that is a stream.
    """
    response = raw.http_response
    reading = _Reading(response, call)
    inner = response.stream
    tap: Any = object.__new__(_tap_for(cast(Any, type(inner))))
    tap.__dict__.update(_inner=inner, _reading=reading)
    response.stream = tap
    weakref.finalize(response, call.abandon, reading.body)
    if call.request.stream:
        _watch_parsed(raw, call, reading, on_parsed)


def _watch_parsed(raw: Any, call: Call, reading: _Reading, on_parsed: Any) -> None:
    # The client's own copy for this request, not the caller's options.
    options = raw._options
    parser = options.post_parser

    def parsed(result: Any) -> Any:
        reading.call = None  # the events are watched from here on, not the bytes
        on_parsed(call, result)
        return parser(result) if callable(parser) else result

    options.post_parser = parsed
