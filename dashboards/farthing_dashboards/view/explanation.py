"""Why a call costs what it costs: in lines and sentences, from its span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any, Final, NamedTuple

from farthing_dashboards.otlp import Attributes
from farthing_dashboards.store.rows import text
from farthing_dashboards.view.money import usd
from farthing_dashboards.view.words import WASTE
from farthing_processor import semconv as names
from farthing_processor.pricing import names as matches


class Paid(NamedTuple):
    """A call as the store reads it, and all that its span says. Immutable."""

    group: Mapping[str, str]
    """Each of `schema.GROUP`."""
    columns: Mapping[str, Any]
    """Those of `calls`."""
    attributes: Attributes

    @property
    def step(self) -> str:
        return self.group["step"] or "its step"

    @property
    def cost(self) -> int | None:
        """Picodollars."""
        return self.columns["cost"]

    def number(self, name: str) -> Decimal:
        """A number on the span; raises LookupError where it says none."""
        value = self.attributes.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise LookupError(name)
        return Decimal(repr(value))

    def tokens(self, of: str) -> int:
        """The tokens of ``input`` or ``output``, estimated ones too; raises LookupError."""
        counted = self.columns[f"{of}_tokens"]
        return int(self.number(_ESTIMATED[of])) if counted is None else counted


_ESTIMATED: Final = {"input": names.ESTIMATED_INPUT, "output": names.ESTIMATED_OUTPUT}


def price(paid: Paid, waste: str | None) -> dict[str, Any]:
    """``lines`` by class, ``total``, the price ``table``, and what there is to ``say`` of them.

    ``waste`` is why it bought nothing, None where it did.
    """
    lines = list(_lines(paid))
    says = [*_says(paid), *(_averages(line) for line in lines if not line.exact)]
    if waste is not None:
        says.append(f"Wasted ({waste}): {WASTE.get(waste, waste)}.")
    return {
        "says": says,
        "lines": [line.as_json() for line in lines],
        "total": usd(paid.cost),
        "table": text(paid.attributes.get(names.COST_PRICES)),
    }


class _Line(NamedTuple):
    part_of: str
    """One of `semconv.COST_CLASSES`."""
    tokens: int | None
    cost: int

    @property
    def rate(self) -> Fraction:
        """Picodollars a million tokens."""
        return Fraction(self.cost * 10**6, self.tokens or 1)

    @property
    def exact(self) -> bool:
        return self.rate.denominator == 1

    def as_json(self) -> dict[str, Any]:
        rate = int(self.rate) if self.exact else round(self.rate / 10**6) * 10**6
        return {
            "class": self.part_of,
            "tokens": self.tokens,
            "per_million": usd(rate) if self.tokens else None,
            "cost": usd(self.cost),
        }


def _lines(paid: Paid) -> Iterator[_Line]:
    for name in names.COST_CLASSES:
        cost = paid.columns[f"cost_{name}"]
        if cost is not None:
            yield _Line(name, _tokens(paid, name), cost)


def _tokens(paid: Paid, part_of: str) -> int | None:
    """How many tokens a class is of; None where it is of none, or they are not known."""
    cached = {each: paid.columns[f"{each}_tokens"] or 0 for each in ("cache_read", "cache_write")}
    if part_of in cached:
        return cached[part_of] or None
    try:
        if part_of == "input":
            return max(paid.tokens("input") - sum(cached.values()), 0) or None
        return paid.tokens("output") or None if part_of == "output" else None
    except LookupError:
        return None


def _averages(line: _Line) -> str:
    return (
        f"The rate of {line.part_of} is an average: some of its tokens cost more than others, or "
        "something else is billed with them."
    )


_STATUS: Final = {
    "priced": "Everything that was billed has a known rate.",
    "free": "The model is known to cost nothing.",
    "reported": "The amount is the provider's own, which comes before the table.",
    "partial": "A part of what was billed has no rate of its own: the amount is a lower bound, or "
    "at standard rates.",
    "estimated": "An estimate: the answer ended before its usage was reported, so its tokens were "
    "counted from what arrived.",
    "inconsistent": "The counts contradict each other: the amount is no better than they are.",
    "unpriced": "No price is known for this model: what it cost is unknown, and not $0.",
    "usage_missing": "The provider never said what was used: what it cost is unknown, and not $0.",
}
"""What ``farthing.cost.status`` says of an amount (docs/prices.md)."""

_MATCH: Final = {
    matches.RULE: "is listed by a rule: as a dated snapshot, a fine-tune of a base, or by a "
    "pattern that covers the name in full.",
    matches.LOOSE: "is matched loosely: what is left over is a namespace or a stage of release. "
    "Look at it once, with farthing prices show.",
}

_ASSUMED: Final = {
    "cache_included": "It was assumed that the input holds what was cached.",
    "cache_write_5m": "It was assumed that the cache was written for five minutes.",
    "reasoning_outside": "It was assumed that what the total holds beside input and output is "
    "reasoning.",
    "not_cached": "It was assumed that no input came from a cache.",
}
"""What ``farthing.cost.assumed`` says of the counts (docs/other-tracers.md)."""


def _says(paid: Paid) -> Iterator[str]:
    attributes, status = paid.attributes, paid.columns["status"]
    if (by := attributes.get(names.COST_DUPLICATE_OF)) is not None:
        yield f"The span {by} has paid this call: it is not counted again."
        return
    if status is None:
        yield "It failed before anything was billed."
    else:
        yield _STATUS.get(status, f"Its status is {status}.")
    match = attributes.get(names.COST_MATCH)
    if isinstance(match, str) and match in _MATCH:
        yield f"{paid.group['model']} {_MATCH[match]}"
    yield from _differs(paid)
    yield from _cached(paid)
    assumed = attributes.get(names.COST_ASSUMED)
    for each in assumed if isinstance(assumed, list | tuple) else ():
        yield _ASSUMED.get(str(each), f"It was assumed of its counts: {each}.")


def _differs(paid: Paid) -> Iterator[str]:
    """The other amount, where the provider's and the table's are not the same."""
    for name, sentence in (
        (names.COST_LISTED, "By the price table it would have been"),
        (names.COST_REPORTED, "It was reported, by the provider or by another tracer, as"),
    ):
        with suppress(LookupError):
            yield f"{sentence} ${paid.number(name):f}."


def _cached(paid: Paid) -> Iterator[str]:
    saved, cost = paid.columns["savings"], paid.cost
    if not saved or cost is None:
        return
    did = f"saved ${usd(saved)}" if saved > 0 else f"cost ${usd(-saved)} more than it saved"
    yield f"The prompt cache {did}: without it the call would have cost ${usd(cost + saved)}."
