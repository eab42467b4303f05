"""Watching a client's own stream objects, sync and async, without standing in for them.

The stream that the application gets is the client's own; only the iterator inside it is replaced.
So every helper, early close, cancellation and garbage collection passes here, and the call ends
once.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

from farthing.call import Call
from farthing.telemetry import log

ITERATOR = "_iterator"
"""Where the generated clients keep the iterator that everything else in a stream reads."""


class _Watch:
    """What sync and async watching share: each event folded into a body, the end reported once."""

    def __init__(self, inner: Any, call: Call) -> None:
        self._inner = inner
        self._call = call
        self.body: dict[str, Any] = {}
        self._begun = False
        self._fold = call.endpoint.fold
        self._with_content = call.with_content
        self._hidden = call.hidden

    def __getattr__(self, name: str) -> Any:
        # Whatever else a client does with its own iterator (aclose, athrow) is between the two.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)

    def _see(self, event: object) -> None:
        try:
            if not self._begun:
                self._begun = True
                self._call.first_chunk()
            self._fold(self.body, event, self._with_content)
        except Exception:
            log.debug("A streamed event was not understood", exc_info=True)

    def _hides(self, event: object) -> bool:
        """Whether ``event`` came only because we asked for it."""
        try:
            return bool(self._hidden and self._hidden(event))
        except Exception:
            log.debug("A streamed event was not understood", exc_info=True)
            return False

    def _failed(self, error: BaseException) -> None:
        # Of two threads or tasks that read at once the second is refused: the first reads on.
        if not any(getattr(self._inner, flag, False) for flag in ("gi_running", "ag_running")):
            self.ended(error)

    def ended(self, error: BaseException | None = None) -> None:
        if error is None or isinstance(error, GeneratorExit):
            self._call.finish(self.body, error is None)
        else:
            self._call.fail(error, self.body)


class Watch(_Watch):
    """The iterator inside a sync stream."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while True:
            try:
                event = self._inner.__next__()
            except StopIteration:
                self.ended()
                raise
            except BaseException as error:
                self._failed(error)
                raise
            self._see(event)
            if self._hidden is None or not self._hides(event):
                return event


class AsyncWatch(_Watch):
    """The iterator inside an async stream."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while True:
            try:
                event = await self._inner.__anext__()
            except StopAsyncIteration:
                self.ended()
                raise
            except BaseException as error:
                self._failed(error)
                raise
            self._see(event)
            if self._hidden is None or not self._hides(event):
                return event


def watch(stream: Any, call: Call) -> None:
    """Have ``call`` follow ``stream``, a sync or async stream of a generated client."""
    inner = getattr(stream, ITERATOR)
    kind = AsyncWatch if hasattr(inner, "__anext__") else Watch
    watching = kind(inner, call)
    setattr(stream, ITERATOR, watching)
    # The body, not the watch: the watch reaches the stream through its generator, and a finaliser
    # that holds what it waits for never runs.
    weakref.finalize(stream, call.abandon, watching.body)


def close(stream: Any) -> None:
    """The application closed ``stream``, or a helper around one."""
    for holder in (stream, getattr(stream, "_raw_stream", None)):
        # Not asked of the object: one that makes its iterator on demand would make it now.
        watching = getattr(holder, "__dict__", {}).get(ITERATOR)
        if isinstance(watching, _Watch):
            watching.ended(GeneratorExit())
