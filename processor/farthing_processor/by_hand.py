"""By hand: calls that the application reports itself, around calls that may be seen anyway.

It is the same money, so one side pays: what is inside, if any of it ends first with a cost, else
what was reported by hand. Each call inside pays for itself, for they may be several.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

from opentelemetry import context
from opentelemetry.context import Context

LIMIT: Final = 20_000
"""Calls kept at most: past it the oldest are forgotten, whose block is left open for ever."""

_KEY: Final = context.create_key("farthing-by-hand")
_open: Final[dict[int, ByHand]] = {}
"""Those whose block is running, by the id of their span."""


class ByHand:
    """What a call reported by hand and the calls inside it share. Thread-safe."""

    __slots__ = ("_outer", "_paid")

    def __init__(self, outer: ByHand | None = None) -> None:
        self._outer = outer
        """Of the call by hand that it is itself inside of."""
        self._paid: dict[None, tuple[bool, int]] = {}
        """Which side has paid, once it has, and the span that was the first to: one item."""

    def paid(self, inside: bool) -> int | None:
        """The span of the other side that has paid already; None where this side may."""
        by_inside, span_id = self._paid.get(None, (inside, 0))
        if by_inside is not inside:
            return span_id
        return self._outer.paid(True) if self._outer is not None and not inside else None

    def pay(self, span_id: int, inside: bool) -> int | None:
        """Have a call with a cost pay; as `paid` where it may not."""
        # setdefault() on a dict is atomic, with or without the interpreter lock.
        by_inside, payer = self._paid.setdefault(None, (inside, span_id))
        if by_inside is not inside:
            return payer
        return None if self._outer is None else self._outer.pay(span_id, True)


def around(within: Context) -> ByHand | None:
    """The innermost call by hand that a context is inside of."""
    hand = within.get(_KEY)
    return hand if isinstance(hand, ByHand) else None


def set_in_context(hand: ByHand, within: Context) -> Context:
    return context.set_value(_KEY, hand, within)


def begin(span_id: int, hand: ByHand) -> None:
    """The block of a call by hand begins, whose span is ``span_id``."""
    _open[span_id] = hand
    if len(_open) > LIMIT:
        # Another thread may be there first.
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):
            del _open[next(iter(_open))]


def end(span_id: int) -> None:
    """The block of a call by hand is over."""
    _open.pop(span_id, None)


def is_open(span_id: int) -> bool:
    """Whether ``span_id`` is the span of a call by hand whose block is running."""
    return span_id in _open


def of(span_ids: Iterable[int]) -> ByHand | None:
    """The call by hand whose span is the first of ``span_ids`` to be one."""
    if not _open:
        return None
    return next((_open[span_id] for span_id in span_ids if span_id in _open), None)
