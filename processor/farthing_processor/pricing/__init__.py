"""Pricing: the exact cost of a usage, from the price pack. Never guesses, never raises, no network.

    >>> price(Usage(2006, 300, 1920), provider="openai", model="gpt-4o", at_ns=now).usd
    0.005615

A key (provider, model, tier, batch, speed, geography) compiles once to a rate card (`card`), which
holds until the next price change; pricing is then a few integer products and one true division, so
that the float is the double nearest to the exact amount. Cards are cached, those of unknown models
too, and the cache is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Context, Decimal
from math import lcm
from typing import Any, Final, NamedTuple

from farthing_processor.pricing.bill import CLASSES, bill
from farthing_processor.pricing.card import Card
from farthing_processor.pricing.cards import CARDS
from farthing_processor.pricing.pack import shipped
from farthing_processor.usage import MAX_COUNT, Usage, checked, joined, reports

__all__ = ["CLASSES", "Priced", "price", "prices_age_s", "prices_version"]


class Priced(NamedTuple):
    """What a usage costs. Immutable."""

    status: str
    """How far to trust it, the first that applies:

    - ``usage_missing``: the provider reported no usage. No amount.
    - ``unpriced``: no price is known (`reason`). No amount.
    - ``inconsistent``: the counts contradict each other (`problem`).
    - ``partial``: something that was billed has no known rate (`problem`). What has none is left
      out of the amount; a tier or region without rates of its own is at the standard rates.
    - ``estimated``: the final counts never came.
    - ``reported``: the provider itself said the amount.
    - ``free``: the price is known to be 0.
    - ``priced``
    """
    usd: float | None = None
    """The double nearest to the exact amount."""
    match: str = ""
    """How the model was recognised: ``exact``, ``rule`` or ``loose`` (`names`)."""
    prices: str = ""
    """The price table's name and version."""
    problem: str = ""
    """Why the amount is not to be trusted, in a few words."""
    reason: str | None = None
    """Why there is no amount: ``unknown_provider``, ``unknown_model``, ``no_price`` or
    ``usage_missing``."""
    total: int = 0
    """The exact amount, in ``1 / per_usd`` dollars."""
    units: tuple[int, ...] = (0,) * len(CLASSES)
    """The exact amount of each of `CLASSES`, in ``1 / per_usd`` dollars."""
    per_usd: int = 1
    """A power of ten; where seconds are billed by the hour, a multiple of one."""

    @property
    def classes(self) -> Mapping[str, float]:
        """USD by class of `CLASSES`, without those that are 0. Empty for a reported cost."""
        per_usd = self.per_usd
        return {CLASSES[n]: amount / per_usd for n, amount in enumerate(self.units) if amount}

    def exact(self) -> Decimal | None:
        """The exact amount, without trailing zeros or exponent: ``Decimal('0.005615')``.

        An amount with no end, as some of seconds billed by the hour, has `DIGITS` digits.
        """
        return None if self.usd is None else decimal(self.total, self.per_usd)

    def exact_classes(self) -> Mapping[str, Decimal]:
        """`classes`, exactly."""
        return {
            name: decimal(units, self.per_usd)
            for name, units in zip(CLASSES, self.units, strict=True)
            if units
        }


_MISSING: Final = Priced("usage_missing", reason="usage_missing")


def price(usage: Usage | None, *, provider: str, model: str | None, at_ns: int) -> Priced:
    """The cost of ``usage`` by ``model`` of ``provider`` at a moment.

    ``provider`` is a ``gen_ai.provider.name`` or an id of the pack; ``at_ns`` is when the call
    began, nanoseconds since the epoch. Which name is the model (what answered, what was asked for)
    is the caller's to say. Counts that are none are not priced (`checked`). Raises nothing.
    """
    if usage is None:
        return _MISSING
    # By far the most calls are text alone with known rates: one unpacking, no line by line.
    (
        inp, out, read, write, write_1h, write_12h, _, audio, image, read_audio, read_image,
        out_audio, out_image, searches, files, characters, seconds,
        tier, batch, speed, geo, reported, also, complete, problem,
    ) = usage  # fmt: skip
    key = (provider, model, tier, batch, speed, geo)
    card = CARDS.recent.get(key)
    if card is None or not card.since <= at_ns < card.until:
        card = CARDS.get(key, at_ns)
    simple = card.simple
    if simple is None or inp is None or out is None:
        return _carefully(usage, card, provider, model, at_ns)
    try:
        # Negative if any of them is, larger than the largest, and only integers have it.
        bits = inp | out | read | write | write_1h | searches
    except TypeError:
        bits = -1
    if (
        not 0 <= bits <= MAX_COUNT
        or not write_1h <= write <= inp - read
        or inp > card.limit
        or write_12h
        or audio
        or image
        or read_audio
        or read_image
        or out_audio
        or out_image
        or files
        or characters
        or seconds is not None
        or also
        or problem
        or not complete
        or reported is not None
    ):
        return _carefully(usage, card, provider, model, at_ns)
    input_rate, output_rate, read_rate, write_rate, write_1h_extra, search_fee = simple
    fresh = (inp - read - write) * input_rate
    cached = read * read_rate
    written = write * write_rate
    answer = out * output_rate
    tools = 0
    if write_1h:
        if write_1h_extra is None:
            return _carefully(usage, card, provider, model, at_ns)
        written += write_1h * write_1h_extra
    if searches:
        if search_fee is None:
            return _carefully(usage, card, provider, model, at_ns)
        tools = searches * search_fee
    units = (fresh, cached, written, answer, tools)
    total = fresh + cached + written + answer + tools
    per_usd = card.per_usd
    # What Priced(…) does, at half the cost.
    return _new(
        Priced,
        ("priced", total / per_usd, card.match, card.prices, "", None, total, units, per_usd),
    )


_new = tuple[Any, ...].__new__


def prices_version() -> str:
    """Which price table is in use."""
    return shipped().version


def prices_age_s() -> float:
    """Seconds since the price table was published."""
    return time.time() - shipped().released_s


DIGITS: Final = 60
"""More than any amount has that ends."""


def decimal(units: int, per_usd: int) -> Decimal:
    """``units / per_usd`` in the fewest digits; exactly, if that takes no more than `DIGITS`."""
    return Context(prec=DIGITS).divide(Decimal(units), Decimal(per_usd))


def _carefully(usage: Usage, card: Card, provider: str, model: str | None, at_ns: int) -> Priced:
    """The same for any usage: modalities, fees, long contexts, missing rates, requests beside."""
    if usage.reported_cost is not None:
        if reported := _reported(usage, usage.reported_cost):
            return reported
        usage = usage._replace(problem=joined(usage.problem, "invalid reported cost"))
    own = _alone(checked(usage), card)
    if not usage.also or own.status == "unpriced":
        return own
    beside = [
        (name, price(part, provider=provider, model=name or model, at_ns=at_ns))
        for name, part in usage.also
    ]
    return _together(own, beside, card.prices)


def _reported(usage: Usage, cost: Decimal) -> Priced | None:
    """The provider's own amount; None when it is not one."""
    sign, digits, exponent = cost.as_tuple()
    if sign or not isinstance(exponent, int) or not -30 <= exponent <= 6 or len(digits) > 36:
        return None
    total = int("".join(map(str, digits))) * 10 ** max(0, exponent)
    per_usd = 10 ** max(0, -exponent)
    status = _status(usage.problem, "", usage.complete, "reported")
    return Priced(status, total / per_usd, problem=usage.problem, total=total, per_usd=per_usd)


def _alone(usage: Usage, card: Card) -> Priced:
    """A usage whose parts fit, without the requests beside it."""
    if not (reports(usage) or card.free):
        return _MISSING._replace(problem=usage.problem)
    match, prices = card.match, card.prices
    if card.unpriced:
        return Priced("unpriced", None, match, prices, card.problem, card.unpriced)
    lines, unknown = bill(usage, card)
    if not lines and unknown:
        return _MISSING._replace(problem=joined(usage.problem, *unknown))
    if lines and all(line.rate is None for line in lines):
        return Priced("unpriced", None, match, prices, joined(*unknown), "no_price")
    partial = joined(card.problem, *unknown)
    status = _status(usage.problem, partial, usage.complete, "free" if card.free else "priced")
    amounts = [sum(line.amount for line in lines if line.part_of == part_of) for part_of in CLASSES]
    parts = lcm(*(amount.denominator for amount in amounts))
    per_usd = card.per_usd * parts
    units = tuple(int(amount * parts) for amount in amounts)
    total = sum(units)
    problem = joined(usage.problem, partial)
    return Priced(status, total / per_usd, match, prices, problem, None, total, units, per_usd)


def _together(own: Priced, beside: list[tuple[str, Priced]], prices: str) -> Priced:
    """A request and those billed beside it as one; what has no price makes the sum partial."""
    known = [part for part in (own, *(part for _, part in beside)) if part.usd is not None]
    if not known:
        return own
    unknown = [f"no price for {name or 'a part'}" for name, part in beside if part.usd is None]
    statuses = {part.status for part in known}
    status = _status(
        "inconsistent" in statuses,
        "partial" in statuses or unknown,
        "estimated" not in statuses,
        "free" if statuses == {"free"} else "priced",
    )
    per_usd = lcm(*(part.per_usd for part in known))
    units = tuple(
        sum(part.units[position] * (per_usd // part.per_usd) for part in known)
        for position in range(len(CLASSES))
    )
    total = sum(units)
    problem = joined(*(part.problem for part in known), *unknown)
    return Priced(status, total / per_usd, own.match, prices, problem, None, total, units, per_usd)


def _status(inconsistent: object, partial: object, complete: bool, otherwise: str) -> str:
    """The first that applies of the statuses with an amount."""
    if inconsistent:
        return "inconsistent"
    if partial:
        return "partial"
    return otherwise if complete else "estimated"
