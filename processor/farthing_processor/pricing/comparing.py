"""Comparing: what differs between two price tables, rate by rate, at every moment that matters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from farthing_processor.pricing.card import EVER, tiers
from farthing_processor.pricing.moments import When, edges, holds
from farthing_processor.pricing.origins import standing
from farthing_processor.pricing.pack import Model, Pack, Prices, Provider
from farthing_processor.pricing.tables import is_newer

FAR: Final = 5
"""A price that moves by more than this factor, or from or to nothing, may be a mistake: a unit
mixed up, a digit lost. Between two releases of genai-prices a handful do, mostly of resellers."""
SHARE: Final = Decimal("0.1")
"""A table that lacks more than this share of the models, or moves as many too far, is a mistake as
a whole."""

Place = tuple[str, str, int]
"""(setting, the pack's price key, more input tokens than this, else -1); the standard setting is
empty."""


class Change(NamedTuple):
    """One rate that differs."""

    provider: str
    model: str
    place: Place
    old: Decimal | None
    """USD by the unit of the price key; None where there is none."""
    new: Decimal | None
    since: int
    """From when on, in nanoseconds since the epoch; `-EVER` where it was always so."""

    @property
    def is_far(self) -> bool:
        """Whether it moved by more than `FAR`. One that came or went did not move."""
        if self.old is None or self.new is None or self.old == self.new:
            return False
        low, high = sorted((self.old, self.new))
        return high > FAR * low


class Difference(NamedTuple):
    """All that differs between two tables."""

    added: tuple[str, ...]
    """Models as ``provider/id``."""
    removed: tuple[str, ...]
    changes: tuple[Change, ...]


def compare(old: Pack, new: Pack) -> Difference:
    """What differs between ``old`` and ``new``. Some hundred milliseconds."""
    added: list[str] = []
    removed: list[str] = []
    changes: list[Change] = []
    now = time.time_ns()
    for name in sorted({*old.providers, *new.providers}):
        before, after = models_of(old.provider(name)), models_of(new.provider(name))
        added += [f"{name}/{model}" for model in after if model not in before]
        removed += [f"{name}/{model}" for model in before if model not in after]
        for model in before.keys() & after.keys():
            if before[model] != after[model]:
                changes += _changes(before[model], after[model], now)
    changes.sort(key=lambda change: (change.provider, change.model, change.place, change.since))
    return Difference(tuple(added), tuple(removed), tuple(changes))


def objections(old: Pack, new: Pack, difference: Difference) -> tuple[str, ...]:
    """Why ``new`` may not replace ``old`` unseen; a sentence each, empty where it may."""
    found: list[str] = []
    had = {name: len(models_of(old.provider(name))) for name in old.providers}
    has = {name: len(models_of(new.provider(name))) for name in new.providers}
    for what, before, after in (
        ("It", sum(had.values()), sum(has.values())),
        *((f"Provider {name}", count, has.get(name, 0)) for name, count in had.items()),
    ):
        if before - after > max(SHARE * before, FEW):
            found.append(f"{what} shrank from {before} to {after} models.")
    if len(far := held_back(difference)) > SHARE * sum(had.values()):
        found.append(f"{len(far)} models moved in price more than {FAR}-fold.")
    return tuple(found)


def held_back(difference: Difference) -> tuple[str, ...]:
    """The models, as ``provider/id``, of which a price moved too far to be believed unseen."""
    far = (f"{each.provider}/{each.model}" for each in difference.changes if each.is_far)
    return tuple(dict.fromkeys(far))


def went_back(old: Pack, new: Pack) -> str:
    """Why ``new`` is the older of the two, as a sentence; empty where it is not."""
    if is_newer(old, new):
        return f"It is {new.version} of {_day(new)}, and {old.version} of {_day(old)} is in use."
    after, before = newest_change(new), newest_change(old)
    if after < before:
        return f"Its newest price is of {after or 'no day'}, that of the table in use of {before}."
    return ""


FEW: Final = 5
"""Models that a provider may lose whatever its share: some have no more than two."""


def newest_change(pack: Pack) -> str:
    """The last date until today on which one of the table's prices began; empty without one."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    dates = (
        str(when["from"])
        for name in pack.providers
        for model in models_of(pack.provider(name)).values()
        for when in _whens(model)
        if when and "from" in when
    )
    return max((date for date in dates if date[:10] <= today), default="")


def models_of(provider: Provider | None) -> Mapping[str, Model]:
    """A provider's models by id; none of one that is not there."""
    return {} if provider is None else provider.models


def moments_of(*models: Model, now: int) -> list[int]:
    """Every moment at which a price of ``models`` may change, the beginning of time and the
    windows of a day around each and around ``now`` included."""
    whens = [when for model in models for when in _whens(model)]
    found = {-EVER, now, *(edge for when in whens for edge in edges(when, now))}
    return sorted(found | {edge for at in found for when in whens for edge in edges(when, at)})


def rates_at(model: Model, at_ns: int) -> dict[Place, Decimal]:
    """The rates that the table lists for a model at a moment, in every setting."""
    found = _placed("", standing(model, at_ns)[1])
    for axis, value, when, prices in model.variants:
        if holds(when, at_ns):
            found |= _placed(f"{axis} {value}", prices)
    return found


def where(place: Place) -> str:
    """A place for people: ``batch input_mtok above 272,000 tokens``."""
    setting, key, above = place
    parts = (setting, key, f"above {above:,} tokens" if above >= 0 else "")
    return " ".join(part for part in parts if part)


def _changes(old: Model, new: Model, now: int) -> Iterator[Change]:
    """Every rate that differs, once for each pair of values, from when it first does."""
    seen: set[tuple[Place, Decimal | None, Decimal | None]] = set()
    for at in moments_of(old, new, now=now):
        before, after = rates_at(old, at), rates_at(new, at)
        for place in before.keys() | after.keys():
            pair = before.get(place), after.get(place)
            if pair[0] != pair[1] and (place, *pair) not in seen:
                seen.add((place, *pair))
                yield Change(old.provider, old.id, place, *pair, at)


def _placed(setting: str, prices: Prices) -> dict[Place, Decimal]:
    return {
        (setting, key, above): Decimal(decimal)
        for key, rate in prices.items()
        for above, decimal in tiers(rate)
    }


def _whens(model: Model) -> list[When]:
    return [when for when, _ in model.prices] + [when for _, _, when, _ in model.variants]


def _day(pack: Pack) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(pack.released_s))
