"""Pricing: the exact cost of a usage, by the user's rules and the price pack. Never guesses, never
raises, no network.

    >>> price(Usage(2006, 300, 1920), provider="openai", model="gpt-4o", at_ns=now).usd
    0.005615

A key (provider, model, tier, batch, speed, geography) compiles once to a rate card (`card`), which
holds until the next price change; pricing is then a few integer products and one true division, so
that the float is the double nearest to the exact amount. Cards are cached, those of unknown models
too, and the cache is bounded.

What the user's rules say comes first (`rules`), then what the provider itself says that the call
cost, then the table.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from math import lcm
from typing import Any, Final, NamedTuple

from farthing_processor.attribution import NOBODY, Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing.bill import CLASSES, bill, cache_savings
from farthing_processor.pricing.card import Card
from farthing_processor.pricing.cards import CARDS, Cards
from farthing_processor.pricing.rules import IN_USE
from farthing_processor.pricing.tables import SERIAL, current
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
    """The price table's name and version; before it the user's rule, where one made the price."""
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
    """A power of ten; with seconds billed by the hour, or a rule of the user's, any number."""
    saved: int = 0
    """What the prompt cache saved, in ``1 / per_usd`` dollars: the price of the same usage had none
    of it been read from a cache or written to one, less that of the usage. Below 0 where writing
    cost more than reading saved; 0 where it is not known."""
    by_provider: bool = False
    """Whether the amount is the provider's own."""
    other: float | None = None
    """Where ours and the provider's amount differ by more than `TOLERANCE` of ours, the one that is
    not ``usd``, in USD."""

    @property
    def savings(self) -> float:
        """USD that the prompt cache saved (`saved`)."""
        return self.saved / self.per_usd

    @property
    def classes(self) -> Mapping[str, float]:
        """USD by class of `CLASSES`, without those that are 0. Empty for a cost that is not made of
        classes: one that the provider reported, one by the hour."""
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

TOLERANCE: Final = Fraction(1, 100)
"""How far the provider's amount may be from ours, in parts of ours, to count as the same."""
COMPARABLE: Final = frozenset({"priced", "free"})
"""The statuses of an amount of ours that is worth comparing: others are known to be off."""


def price(
    usage: Usage | None,
    *,
    provider: str,
    model: str | None,
    at_ns: int,
    facts: Facts | None = None,
    who: Attribution = NOBODY,
) -> Priced:
    """The cost of ``usage`` by ``model`` of ``provider`` at a moment.

    ``provider`` is a ``gen_ai.provider.name`` or an id of the pack; ``at_ns`` is when the call
    began, nanoseconds since the epoch. Which name is the model (what answered, what was asked for)
    is the caller's to say. ``facts`` and ``who`` are what the user's rules may look at besides.
    Counts that are none are not priced (`checked`). Raises nothing.
    """
    rules = IN_USE[0]
    cards = CARDS if rules is None else rules.cards(facts, who)
    if usage is None:
        return _MISSING if rules is None else _uncounted(cards, provider, model, at_ns, facts)
    # By far the most calls are text alone with known rates: one unpacking, no line by line.
    (
        inp, out, read, write, write_1h, write_12h, _, audio, image, read_audio, read_image,
        out_audio, out_image, searches, files, characters, previews, video,
        out_video, seconds,
        tier, batch, speed, geo, reported, also, complete, problem,
    ) = usage  # fmt: skip
    key = (provider, model, tier, batch, speed, geo)
    card = cards.recent.get(key)
    if card is None or not card.since <= at_ns < card.until or card.table != SERIAL[0]:
        card = cards.get(key, at_ns)
    simple = card.simple
    if simple is None or inp is None or out is None:
        return _carefully(usage, card, cards, provider, model, at_ns, facts)
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
        or previews
        or video
        or out_video
        or seconds is not None
        or also
        or problem
        or not complete
        or reported is not None
    ):
        return _carefully(usage, card, cards, provider, model, at_ns, facts)
    input_rate, output_rate, read_rate, write_rate, write_1h_extra, search_fee, tools = simple
    fresh = (inp - read - write) * input_rate
    cached = read * read_rate
    written = write * write_rate
    answer = out * output_rate
    if write_1h:
        if write_1h_extra is None:
            return _carefully(usage, card, cards, provider, model, at_ns, facts)
        written += write_1h * write_1h_extra
    if searches:
        if search_fee is None:
            return _carefully(usage, card, cards, provider, model, at_ns, facts)
        tools += searches * search_fee
    units = (fresh, cached, written, answer, tools)
    total = fresh + cached + written + answer + tools
    saved = (read + write) * input_rate - cached - written if read or write else 0
    per_usd = card.per_usd
    # What Priced(…) does, at half the cost.
    return _new(
        Priced,
        (
            "priced", total / per_usd, card.match, card.prices, "", None,
            total, units, per_usd, saved, False, None,
        ),
    )  # fmt: skip


_new = tuple[Any, ...].__new__


def prices_version() -> str:
    """Which price table is in use."""
    return current().version


def prices_age_s() -> float:
    """Seconds since the price table was published."""
    return time.time() - current().released_s


DIGITS: Final = 60
"""More than any amount has that ends."""


def decimal(units: int, per_usd: int) -> Decimal:
    """``units / per_usd`` in the fewest digits; exactly, if that takes no more than `DIGITS`."""
    return Context(prec=DIGITS).divide(Decimal(units), Decimal(per_usd))


def _uncounted(
    cards: Cards, provider: str, model: str | None, at_ns: int, facts: Facts | None
) -> Priced:
    """A call without usage: what a rule prices by the hour, or by the request alone."""
    card = cards.get((provider, model, "", False, "", ""), at_ns)
    if card.by_rule and not card.needs_usage:
        return _alone(Usage(), card) if card.hourly is None else _by_time(card, card.hourly, facts)
    return _MISSING


def _carefully(
    usage: Usage,
    card: Card,
    cards: Cards,
    provider: str,
    model: str | None,
    at_ns: int,
    facts: Facts | None,
) -> Priced:
    """The same for any usage: modalities, fees, long contexts, missing rates, requests beside, and
    what the provider says that it cost."""
    reported = None
    if usage.reported_cost is not None:
        reported = _reported(usage, usage.reported_cost)
        if reported is None:
            usage = usage._replace(problem=joined(usage.problem, "invalid reported cost"))
    if card.hourly is not None:
        ours = _by_time(card, card.hourly, facts)
    else:
        ours = _alone(checked(usage), card)
    if usage.also and ours.status != "unpriced" and card.hourly is None:
        beside: list[tuple[str, Priced]] = []
        for name, part in usage.also:
            of = name or model
            key = (provider, of, part.tier, part.batch, part.speed, part.geo)
            fits = cards.get(key, at_ns).without_fee()
            beside.append((name, _carefully(part, fits, cards, provider, of, at_ns, facts)))
        ours = _together(ours, beside, card.prices)
    return ours if reported is None else _chosen(ours, reported, card.by_rule)


def _chosen(ours: Priced, reported: Priced, by_rule: bool) -> Priced:
    """Ours where a rule of the user's made it, else what the provider reported."""
    ours_counts = by_rule and ours.usd is not None
    chosen, other = (ours, reported) if ours_counts else (reported, ours)
    if ours.status not in COMPARABLE:
        return chosen
    per_usd = lcm(ours.per_usd, reported.per_usd)
    parts = per_usd // ours.per_usd
    amount = ours.total * parts
    if abs(reported.total * (per_usd // reported.per_usd) - amount) > TOLERANCE * amount:
        return chosen._replace(other=other.usd)
    if ours_counts:
        return ours
    total = reported.total * (per_usd // reported.per_usd)
    return reported._replace(total=total, per_usd=per_usd, saved=ours.saved * parts)


def _reported(usage: Usage, cost: Decimal) -> Priced | None:
    """The provider's own amount; None when it is not one."""
    sign, digits, exponent = cost.as_tuple()
    if sign or not isinstance(exponent, int) or not -30 <= exponent <= 6 or len(digits) > 36:
        return None
    total = int("".join(map(str, digits))) * 10 ** max(0, exponent)
    per_usd = 10 ** max(0, -exponent)
    status = _status(usage.problem, "", usage.complete, "reported")
    return Priced(
        status,
        total / per_usd,
        problem=usage.problem,
        total=total,
        per_usd=per_usd,
        by_provider=True,
    )


def _by_time(card: Card, hourly: Fraction, facts: Facts | None) -> Priced:
    """What an hour costs, by the nanoseconds that the call took."""
    seconds = None if facts is None else facts.duration_s
    if seconds is None or not 0 <= seconds < MAX_COUNT:
        problem = "priced by the hour, and how long it took is not known"
        return Priced("unpriced", None, "", card.prices, problem, "no_price")
    total = hourly.numerator * round(seconds * 10**9)
    per_usd = hourly.denominator * 3600 * 10**9
    return Priced("priced", total / per_usd, "", card.prices, total=total, per_usd=per_usd)


def _alone(usage: Usage, card: Card) -> Priced:
    """A usage whose parts fit, without the requests beside it."""
    if card.needs_usage and not reports(usage):
        return _MISSING._replace(problem=usage.problem)
    match, prices = card.match, card.prices
    if card.free and card.by_rule:
        status = _status(usage.problem, "", usage.complete, "free")
        return Priced(status, 0.0, match, prices, usage.problem)
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
    saved = cache_savings(usage, card) * parts
    return Priced(
        status, total / per_usd, match, prices, problem, None, total, units, per_usd, saved
    )


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
    saved = sum(part.saved * (per_usd // part.per_usd) for part in known)
    return Priced(
        status, total / per_usd, own.match, prices, problem, None, total, units, per_usd, saved
    )


def _status(inconsistent: object, partial: object, complete: bool, otherwise: str) -> str:
    """The first that applies of the statuses with an amount."""
    if inconsistent:
        return "inconsistent"
    if partial:
        return "partial"
    return otherwise if complete else "estimated"
