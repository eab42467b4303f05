"""Cards: the rate card of a key, compiled once and kept in a bounded cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from farthing_processor.pricing import names
from farthing_processor.pricing.card import Card, Key, Setting, compile_card, unpriced
from farthing_processor.pricing.overlay import rows_for
from farthing_processor.pricing.tables import SERIAL, current

CACHED: Final = 4096
"""Cards kept, at most."""
MAX_KEY: Final = 512
"""A key whose names are longer together is not kept."""


class Cards:
    """Compiled cards by key: at most `CACHED`, in two generations.

    What is asked for moves to the recent one; when that is full it becomes the older one and what
    was there is forgotten, so that a flood of names that nobody asks for twice cannot drive out
    those in use. There is no lock, in a fork neither: a race can only forget a card.
    """

    def __init__(self, compile_: Callable[[Key, int], Card]) -> None:
        self._compile = compile_
        self.recent: dict[Key, Card] = {}
        self.older: dict[Key, Card] = {}

    def get(self, key: Key, at_ns: int) -> Card:
        card = self.recent.get(key)
        if card is None or not is_good(card, at_ns):
            card = self._miss(key, at_ns)
        return card

    def __len__(self) -> int:
        return len(self.recent) + len(self.older)

    def _miss(self, key: Key, at_ns: int) -> Card:
        card = self.older.get(key)
        if card is None or not is_good(card, at_ns):
            # Its number is read first: of a table that is swapped meanwhile, the card is not used.
            table = SERIAL[0]
            card = self._compile(key, at_ns)._replace(table=table)
        if sum(len(part) for part in key if isinstance(part, str)) <= MAX_KEY:
            if len(self.recent) >= CACHED // 2:
                self.older, self.recent = self.recent, {}
            self.recent[key] = card
        return card


def is_good(card: Card, at_ns: int) -> bool:
    """Whether a card holds at a moment, and is of the table in use."""
    return card.since <= at_ns < card.until and card.table == SERIAL[0]


def from_table(key: Key, at_ns: int) -> Card:
    """The card that the price table has for a key at a moment."""
    provider_name, model, tier, batch, speed, geo = key
    pack = current()
    provider = pack.provider(names.PROVIDERS.get(provider_name, provider_name))
    if provider is None:
        return unpriced("unknown_provider")
    match = names.resolve(pack, provider, model) if model else None
    if match is None:
        return unpriced("unknown_model")
    rows = rows_for(provider.id, match.model.provider, match.model.id)
    card = compile_card(match, Setting(tier, batch, speed, geo), provider.id, at_ns, rows)
    return card._replace(prices=pack.version + card.prices)


CARDS: Final = Cards(from_table)
"""The cards of this process, where no rule of the user's applies."""
