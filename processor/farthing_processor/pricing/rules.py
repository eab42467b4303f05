"""Rules: what the user pays where it is not what the price table says.

A rule has conditions and a price; the first of the file whose conditions all hold decides
(`rules_file` reads them). What a key says (provider, model, tier …) is matched once, when its card
is compiled. What else is known of a call (host, step …) picks the set of cards to look in, so that
a price is found as fast with rules as without.

The rules in use are those of the process, as the price table is: whoever assesses a call prices it
alike, whichever telemetry it reports to. They are immutable and swapped whole (`use`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import translate
from fractions import Fraction
from functools import partial
from math import lcm
from typing import Final, NamedTuple

from farthing_processor.attribution import NOBODY, Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing import names
from farthing_processor.pricing.card import (
    EVER,
    PRICE_KEYS,
    Card,
    Key,
    Rates,
    Setting,
    compile_card,
)
from farthing_processor.pricing.cards import CACHED, CARDS, MAX_KEY, Cards, from_table
from farthing_processor.pricing.pack import Model
from farthing_processor.usage import STANDARD_TIERS

OF_KEY: Final[Mapping[str, Callable[[Key], tuple[str, ...]]]] = {
    "provider": lambda key: (key[0], names.PROVIDERS.get(key[0], key[0])),
    "model": lambda key: (key[1], names.undated(key[1])) if key[1] else (),
    "tier": lambda key: ("standard", key[2]) if key[2] in STANDARD_TIERS else (key[2],),
    "batch": lambda key: (str(key[3]).lower(),),
    "speed": lambda key: (key[4] or "standard",),
    "geo": lambda key: (key[5] or "global",),
}
"""What a condition may look at in the key of a card, under each name that it goes by."""

Look = Callable[[Facts, Attribution], str | None]
OF_CALL: Final[Mapping[str, Look]] = {
    "deployment": lambda facts, who: facts.request_model,
    "host": lambda facts, who: facts.server_address,
    "operation": lambda facts, who: facts.operation,
    "workflow": lambda facts, who: who.workflow,
    "step": lambda facts, who: who.step,
    "agent": lambda facts, who: who.agent,
    "feature": lambda facts, who: who.feature,
    "user": lambda facts, who: who.user,
    "task_type": lambda facts, who: who.task_type,
}
"""What a condition may look at besides; ``tag.<name>`` too."""

SETS: Final = 64
"""Sets of cards kept, at most: one for each set of rules whose conditions on the call hold."""
NO_CALL: Final = Facts("", None)


class Condition:
    """Patterns, one of which the value of ``name`` must match as a whole, upper case or lower."""

    def __init__(self, name: str, patterns: tuple[str, ...]) -> None:
        self.name = name
        self.patterns = patterns
        self._matches = re.compile("|".join(map(translate, patterns)), re.IGNORECASE).match

    def holds(self, value: str | None) -> bool:
        return value is not None and self._matches(value) is not None


class Alias(NamedTuple):
    """The model whose price it is."""

    provider: str | None
    """None is the provider of the call."""
    model: str


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule: conditions that must all hold, and a price. Immutable."""

    label: str
    """The file, its version and the line, as they stand on every span that it prices."""
    line: int
    of_key: tuple[Condition, ...] = ()
    of_call: tuple[Condition, ...] = ()
    rates: Mapping[str, str] | None = None
    """Decimal strings by the pack's price keys, instead of those of the table."""
    alias: Alias | None = None
    free: bool = False
    hourly: Fraction | None = None
    """USD for an hour of one call: the price of an hour x GPUs / concurrency."""
    factor: Decimal = Decimal(1)
    """What the price is multiplied by, fees of tools included."""
    per_request: Decimal | None = None
    """USD that each request costs besides."""

    def covers(self, key: Key) -> bool:
        """Whether its conditions on the key hold."""
        return all(
            any(condition.holds(value) for value in OF_KEY[condition.name](key))
            for condition in self.of_key
        )

    def card(self, key: Key, at_ns: int) -> Card:
        """What a model costs by it. Its own rates are for every tier and place it covers."""
        if self.hourly is not None:
            return Card(-EVER, EVER, hourly=self.hourly, by_rule=True, prices=self.label)
        own = dict.fromkeys(PRICE_KEYS.values(), "0") if self.free else self.rates
        if own is not None:
            model = Model(key[0], key[1] or "", (), (), ((None, own),), (), False)
            card = compile_card(names.Match(model, ""), Setting(), key[0], at_ns)
        else:
            provider, name = self.alias or (None, key[1])
            card = from_table((provider or key[0], name, *key[2:]), at_ns)
        card = _times(card, self.factor)
        if self.per_request is not None:
            card = _with_fee(card, self.per_request)
        prices = f"{self.label}; {card.prices}" if card.prices else self.label
        return card._replace(by_rule=True, prices=prices)


def _times(card: Card, factor: Decimal) -> Card:
    """``card`` with every rate multiplied."""
    if factor == 1 or card.unpriced:
        return card
    by, parts = factor.as_integer_ratio()

    def times(rate: int | None) -> int | None:
        return None if rate is None else rate * by

    simple = card.simple
    if simple is not None:
        inp, out, read, write, extra, search, fee = simple
        simple = inp * by, out * by, read * by, write * by, times(extra), times(search), fee * by
    return card._replace(
        brackets=tuple((above, Rates(*map(times, rates))) for above, rates in card.brackets),
        simple=simple,
        per_usd=card.per_usd * parts,
    )


_NO_RATES: Final = Rates(*[None] * len(Rates._fields))


def _with_fee(card: Card, fee: Decimal) -> Card:
    """``card`` with a fee for each request; of a model without a price, the fee is all we know."""
    if card.unpriced:
        card = card._replace(brackets=((-1, _NO_RATES),), unpriced=None)
    by, parts = fee.as_integer_ratio()
    per_usd = lcm(card.per_usd, parts)
    card = _times(card, Decimal(per_usd // card.per_usd))._replace(per_usd=per_usd, free=False)
    more = by * (per_usd // parts)
    return card._replace(
        brackets=tuple(
            (above, rates._replace(request=(rates.request or 0) + more))
            for above, rates in card.brackets
        ),
        simple=card.simple and (*card.simple[:6], card.simple[6] + more),
    )


class Rules:
    """The rules of one file, in its order, and the cards that they make."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        names_looked_at = dict.fromkeys(each.name for rule in rules for each in rule.of_call)
        self._names = tuple(names_looked_at)
        self._looks = tuple(map(_look, self._names))
        self._sets: dict[tuple[Rule, ...], Cards] = {}
        self._known: dict[tuple[str | None, ...], Cards] = {}
        self._all = self._cards(rules)

    def cards(self, facts: Facts | None, who: Attribution) -> Cards:
        """The cards for a call, of which nothing but the key may be known."""
        if not self._looks:
            return self._all
        facts = facts or NO_CALL
        seen = tuple([look(facts, who) for look in self._looks])
        cards = self._known.get(seen)
        return self._of(seen) if cards is None else cards

    def _of(self, seen: tuple[str | None, ...]) -> Cards:
        values = dict(zip(self._names, seen, strict=True))
        cards = self._cards(
            tuple(
                rule
                for rule in self.rules
                if all(condition.holds(values[condition.name]) for condition in rule.of_call)
            )
        )
        if sum(len(value) for value in seen if value) <= MAX_KEY:
            if len(self._known) >= CACHED:
                self._known.clear()
            self._known[seen] = cards
        return cards

    def _cards(self, rules: tuple[Rule, ...]) -> Cards:
        cards = self._sets.get(rules)
        if cards is None:
            if len(self._sets) >= SETS:
                self._sets.clear()
                self._known.clear()
            cards = self._sets[rules] = Cards(partial(_compile, rules)) if rules else CARDS
        return cards


def _look(name: str) -> Look:
    if not name.startswith(TAG):
        return OF_CALL[name]
    tag = name.removeprefix(TAG)
    return lambda _, who: who.tags.get(tag)


TAG: Final = "tag."


def _compile(rules: tuple[Rule, ...], key: Key, at_ns: int) -> Card:
    rule = next((rule for rule in rules if rule.covers(key)), None)
    return from_table(key, at_ns) if rule is None else rule.card(key, at_ns)


IN_USE: Final[list[Rules | None]] = [None]
"""The rules of this process; None where there are none. Set by `use` alone."""


def use(rules: Rules | None) -> None:
    """Have every call from now on priced by ``rules``."""
    IN_USE[0] = rules if rules is not None and rules.rules else None


def use_file(path: str | None) -> tuple[str, ...]:
    """Have every call from now on priced by the rules of that file, or by none; what is wrong."""
    if path is None:
        use(None)
        return ()
    # Only those who have such a file pay for reading TOML.
    from farthing_processor.pricing import rules_file

    loaded = rules_file.load(path)
    use(Rules(loaded.rules))
    return loaded.problems


def cards_for(facts: Facts | None, who: Attribution = NOBODY) -> Cards:
    """The cards that a call is priced by."""
    rules = IN_USE[0]
    return CARDS if rules is None else rules.cards(facts, who)
