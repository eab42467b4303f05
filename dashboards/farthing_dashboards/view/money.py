"""Money and shares as they are written: exact decimal strings, and None for what is not known."""

from __future__ import annotations

from fractions import Fraction

from farthing_dashboards.store.schema import to_usd


def usd(picodollars: int | None) -> str | None:
    """The shortest decimal that is this amount: no exponent, no trailing zeros."""
    if picodollars is None:
        return None
    text = f"{to_usd(picodollars):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def spent(calls: int, priced: int, cost: int) -> str | None:
    """What calls cost: None where there are some and none has a price; of no calls it is 0."""
    return usd(cost) if priced or not calls else None


def each(picodollars: int, of: Fraction | int) -> int | None:
    """An amount by ``of``, to the nearest picodollar; None by nothing."""
    return round(Fraction(picodollars) / of) if of else None


def share(part: float | None, whole: float | None) -> float | None:
    """``part`` over ``whole``; None of nothing, or where either is not known."""
    return part / whole if whole and part is not None else None
