"""Origins: where each rate of a model comes from, and what else decided it.

A rate is the overlay's, the price table's, or that of what it counts as where nobody lists one
(`Rates`); a row of the overlay may multiply it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from farthing_processor.pricing import decimal, names
from farthing_processor.pricing.card import PRICE_KEYS, Card, Key, Setting, compile_card
from farthing_processor.pricing.moments import When, holds
from farthing_processor.pricing.names import Match
from farthing_processor.pricing.overlay import rows_for
from farthing_processor.pricing.overlay_rows import Row
from farthing_processor.pricing.pack import Model, Pack, Prices

UNITS: Final[Mapping[str, tuple[int, str]]] = {
    "mtok": (10**6, "/M"),
    "mchars": (10**6, "/M characters"),
    "kcount": (10**3, "/k"),
    "hours": (1, "/h"),
}
"""By the end of a price key: of how many a rate is quoted, and how that is said."""

_COUNTS_AS: Final = ("cache_read", "input", "input_image", "input_audio", "output")
"""What a rate may stand in for that nobody lists."""


class Origin(NamedTuple):
    """One rate as it is quoted, and who says so."""

    what: str
    """The field of `Rates`, in words."""
    usd: Decimal
    unit: str
    source: str


class Origins(NamedTuple):
    """What decided the card of a key at a moment."""

    match: Match
    called: str
    """The table's provider that serves it."""
    card: Card
    table: str
    """The version of the table."""
    when: When
    """When the rates that the table lists hold; None is always."""
    settings: tuple[str, ...]
    """What departs from the standard, and what it is priced by."""
    rows: tuple[Row, ...]
    """The rows of the overlay that apply, in their order."""
    brackets: tuple[tuple[int, tuple[Origin, ...]], ...]
    """The rates that are known, of requests with more input tokens than so many: from -1 on."""


BY_ID: Final = "id"
"""How a model is matched whose id in the table no call would name."""


def origins(pack: Pack, key: Key, at_ns: int, by_id: bool = False) -> Origins | None:
    """Where the card of ``key`` comes from; None where the table has no such model. ``by_id`` finds
    it by its id in the table too."""
    provider = pack.provider(names.PROVIDERS.get(key[0], key[0]))
    match = names.resolve(pack, provider, key[1]) if provider and key[1] else None
    if provider and match is None and by_id and (named := provider.models.get(key[1] or "")):
        match = Match(named, BY_ID)
    if provider is None or match is None:
        return None
    model, setting = match.model, Setting(*key[2:])
    axes = setting.axes()
    every = rows_for(provider.id, model.provider, model.id)
    card = compile_card(match, setting, provider.id, at_ns, every)
    rows = tuple(row for row in every if holds(row.when, at_ns) and _is_of(row, axes))
    when, listed = standing(model, at_ns)
    sources = dict.fromkeys(listed, pack.version)
    settings: dict[str, str] = {}
    for axis, value, since, rates in model.variants if model.provider == provider.id else ():
        if axes.get(axis) == value and holds(since, at_ns):
            settings[axis] = f"{pack.version}{said(since)}"
            sources |= dict.fromkeys(rates, f"{pack.version}, {axis} {value}")
    for row in rows:
        sources |= dict.fromkeys(row.rates, f"{row.source} (read {row.read})")
        if row.of[0]:
            settings[row.of[0]] = f"{row.source} (read {row.read})"
    return Origins(
        match=match,
        called=provider.id,
        card=card,
        table=pack.version,
        when=when,
        settings=tuple(
            f"{axis} {value}: {settings.get(axis, 'no rates of its own, so the standard ones')}"
            for axis, value in axes.items()
        ),
        rows=rows,
        brackets=tuple(
            (
                above,
                tuple(
                    _rates(card, above, sources, " x ".join(row.times for row in rows if row.times))
                ),
            )
            for above, _ in card.brackets
        ),
    )


def standing(model: Model, at_ns: int) -> tuple[When, Prices]:
    """The prices that the table lists for a model at a moment, and when they hold."""
    holding = [row for row in model.prices if holds(row[0], at_ns)]
    return holding[-1] if holding else model.prices[0]


def said(when: When) -> str:
    """A condition for people, after a comma; empty where it always holds."""
    if when is None:
        return ""
    return "".join(f", {name} {_listed(value)}" for name, value in when.items()) + " UTC"


def _listed(value: object) -> str:
    if isinstance(value, list):
        parts: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        return " ".join(map(_listed, parts))
    return str(value)


def _is_of(row: Row, axes: Mapping[str, str]) -> bool:
    axis, values = row.of
    return not axis or (axis in axes and (values == "*" or axes[axis] in values.split()))


def _rates(card: Card, above: int, sources: Mapping[str, str], times: str) -> list[Origin]:
    rates = dict(card.brackets)[above]
    found: list[Origin] = []
    for (field, key), rate in zip(PRICE_KEYS.items(), rates, strict=True):
        if rate is None:
            continue
        kind = key.rpartition("_")[2]
        per, unit = UNITS[kind]
        source = sources.get(key, "")
        if not source:
            listed = (like for like in _COUNTS_AS if sources.get(PRICE_KEYS[like]))
            likes = (like for like in listed if getattr(rates, like) == rate)
            source = "free" if card.free else f"as {next(likes, 'input').replace('_', ' ')}"
        if times and kind != "kcount":
            source += f", x {times}"
        found.append(
            Origin(field.replace("_", " "), decimal(rate * per, card.per_usd), unit, source)
        )
    return found
