"""Runs: one run of a workflow in the process that opened it, and who wants to hear of its end.

A run is reached from whatever it does, by `attribution.current(context).run`. Whoever rolls up its
calls hooks on with `on_begin` and `on_end`, and keeps what it needs in `Run.rollup`. A run that
nobody ends is told of all the same, as ``unknown``: when it is collected as garbage, when too many
newer ones have begun, or at exit.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from farthing_processor import semconv as names

SUCCESS: Final = "success"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
UNKNOWN: Final = "unknown"
"""What a run came to that nobody ended."""
LIMIT: Final = 20_000
"""Runs open at once, at most: past it the oldest are ended as ``unknown``."""

_log: Final = logging.getLogger("farthing")


class Run:
    """One run of a workflow. Ended by the first `end`, from whichever thread comes first."""

    __slots__ = (
        "__weakref__",
        "_open",
        "_process",
        "_started",
        "duration_s",
        "error_type",
        "id",
        "name",
        "outcome",
        "reason",
        "rollup",
        "span",
        "start_ns",
    )

    def __init__(self, name: str, id: str) -> None:
        self.name = name
        self.id = id
        self.outcome: str | None = None
        """What the application said so far; what it came to, once it has ended."""
        self.reason: str | None = None
        self.error_type: str | None = None
        """The class of the exception that it ended by."""
        self.span: Span = trace.INVALID_SPAN
        """The root span: does not record where nobody listens. Open until the hooks have run."""
        self.start_ns = time.time_ns()
        self.duration_s: float | None = None
        """Seconds; None until it has ended."""
        self.rollup: object = None
        """Whatever the hook of `on_begin` wants to find again."""
        # pop() on a list is atomic, with or without the interpreter lock: the first one ends us.
        self._open = [True]
        self._process = os.getpid()
        self._started = time.perf_counter()

    @property
    def ended(self) -> bool:
        """Whether it is over. Calls that it left behind may still come."""
        return not self._open

    def end(self, error: BaseException | None, closed: str = SUCCESS) -> None:
        """End the run, by ``error`` if it was one; tell the hooks, then end the root span.

        - An exception has failed it, unless the application had named an outcome of its own.
        - Cancelled is what another exception stopped (`asyncio.CancelledError`,
          `KeyboardInterrupt`), unless the application had named any outcome.
        - `GeneratorExit` comes to ``closed``: who stops reading a generator has what was wanted.
        - `SystemExit` is a success with no code or 0, else a failure.

        Never raises. After a `GeneratorExit` the rest is done at the next `settle`: the garbage
        collector closes generators anywhere, in the middle of an SDK that holds its locks too.
        """
        try:
            self._open.pop()
        except IndexError:
            return
        _running.pop(id(self), None)
        if self._process != os.getpid():
            return  # a run that a fork took along is its parent's to end
        self.duration_s = time.perf_counter() - self._started
        came_to = _came_to(error, closed)
        if came_to == FAILED and error is not None:
            self.error_type = type(error).__qualname__
        if self.outcome is None or (came_to == FAILED and self.outcome == SUCCESS):
            self.outcome, self.reason = came_to, None
        _over.append(self)
        if not isinstance(error, GeneratorExit):
            settle()

    def lose(self) -> None:
        """End the run because nobody will: as ``unknown``, unless the application had named an
        outcome. Done in full at the next `settle`."""
        self.end(GeneratorExit(), UNKNOWN)

    def __del__(self) -> None:
        try:
            if id(self) in _running:
                self.lose()
        except Exception:  # at the end of the interpreter there may be nothing left to do it with
            return

    def _tell(self) -> None:
        for settling in _before_end:
            _guarded(settling)
        for hook in _on_end:
            _guarded(hook, self)
        try:
            self.span.set_attribute(names.WORKFLOW_OUTCOME, self.outcome or SUCCESS)
            if self.reason is not None:
                self.span.set_attribute(names.WORKFLOW_REASON, self.reason)
            if self.error_type is not None or self.outcome == FAILED:
                self.span.set_attribute(names.ERROR_TYPE, self.error_type or names.ERROR_OTHER)
                # Without a description: an exception's message can quote the prompt or the key.
                self.span.set_status(Status(StatusCode.ERROR))
        finally:
            self.span.end(self.start_ns + round((self.duration_s or 0) * 1e9))


def _came_to(error: BaseException | None, closed: str) -> str:
    if error is None:
        return SUCCESS
    if isinstance(error, GeneratorExit):
        return closed
    if isinstance(error, SystemExit):
        return FAILED if error.code else SUCCESS
    return FAILED if isinstance(error, Exception) else CANCELLED


_over: Final[deque[Run]] = deque()
"""The runs that have ended, and of which nobody was told yet."""
_running: Final[dict[int, weakref.ref[Run]]] = {}
"""The runs that have begun and not ended, by identity, the oldest first."""


def settle() -> None:
    """Tell the hooks of the runs that have ended, and end their spans."""
    while True:
        try:
            run = _over.popleft()
        except IndexError:
            return
        _guarded(Run._tell, run)  # pyright: ignore[reportPrivateUsage]


def close() -> None:
    """End the runs that are still open, as nobody will, and settle: for the exit of the process."""
    for known in list(_running.values()):
        if (run := known()) is not None:
            run.lose()
    settle()


Hook = Callable[[Run], None]
_before_end: Final[list[Callable[[], None]]] = []
_on_begin: Final[list[Hook]] = []
_on_end: Final[list[Hook]] = []


def on_begin(hook: Hook) -> None:
    """Have ``hook`` called with every run that begins, in the thread and context that opened it."""
    if hook not in _on_begin:
        _on_begin.append(hook)


def before_end(hook: Callable[[], None]) -> None:
    """Have ``hook`` called before the hooks of `on_end`, for calls that only then are known to be
    over."""
    if hook not in _before_end:
        _before_end.append(hook)


def on_end(hook: Hook) -> None:
    """Have ``hook`` called with every run that has ended, once, in any thread.

    Its outcome, reason and duration are final; its root span still takes attributes.
    """
    if hook not in _on_end:
        _on_end.append(hook)


def begin(run: Run) -> None:
    """Tell the hooks that ``run`` begins."""
    _running[id(run)] = weakref.ref(run)
    if len(_running) > LIMIT:
        # Another thread may be there first.
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):
            oldest = _running.pop(next(iter(_running)))()
            if oldest is not None:
                oldest.lose()
    if _over:
        settle()
    for hook in _on_begin:
        _guarded(hook, run)


def _guarded(hook: Callable[..., None], *run: Run) -> None:
    try:
        hook(*run)
    except Exception:
        _log.debug("A workflow was not recorded in full", exc_info=True)


if hasattr(os, "register_at_fork"):
    # What waits or runs at a fork is the parent's to tell.
    os.register_at_fork(after_in_child=_over.clear)
    os.register_at_fork(after_in_child=_running.clear)
