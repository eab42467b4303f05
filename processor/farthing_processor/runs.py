"""Runs: one run of a workflow in the process that opened it, and who wants to hear of its end.

A run is reached from whatever it does, by `attribution.current(context).run`. Whoever rolls up its
calls hooks on with `on_begin` and `on_end`, and keeps what it needs in `Run.rollup`.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from farthing_processor import semconv as names

SUCCESS: Final = "success"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

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

    def _tell(self) -> None:
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


def settle() -> None:
    """Tell the hooks of the runs that have ended, and end their spans."""
    while True:
        try:
            run = _over.popleft()
        except IndexError:
            return
        _guarded(Run._tell, run)  # pyright: ignore[reportPrivateUsage]


Hook = Callable[[Run], None]
_on_begin: Final[list[Hook]] = []
_on_end: Final[list[Hook]] = []


def on_begin(hook: Hook) -> None:
    """Have ``hook`` called with every run that begins, in the thread and context that opened it."""
    if hook not in _on_begin:
        _on_begin.append(hook)


def on_end(hook: Hook) -> None:
    """Have ``hook`` called with every run that has ended, once, in any thread.

    Its outcome, reason and duration are final; its root span still takes attributes.
    """
    if hook not in _on_end:
        _on_end.append(hook)


def begin(run: Run) -> None:
    """Tell the hooks that ``run`` begins."""
    if _over:
        settle()
    for hook in _on_begin:
        _guarded(hook, run)


def _guarded(hook: Hook, run: Run) -> None:
    try:
        hook(run)
    except Exception:
        _log.debug("A workflow was not recorded in full", exc_info=True)


if hasattr(os, "register_at_fork"):
    # What waits at a fork is the parent's to tell.
    os.register_at_fork(after_in_child=_over.clear)
