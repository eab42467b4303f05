"""Rate cards: the prices of one model at one moment in one setting, as scaled integers.

A card is compiled once for a key and holds until the next moment at which a price of the model may
change. Its rates are integers of ``1 / per_usd`` dollars, a power of ten, so that a cost is exact
until the one division that makes it a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from farthing_processor.pricing.moments import edges, holds
from farthing_processor.pricing.names import Match
from farthing_processor.pricing.overlay_rows import Row
from farthing_processor.pricing.pack import Prices, Rate
from farthing_processor.usage import STANDARD_TIERS, joined

EVER: Final = 2**127
"""Later than any moment, larger than any count."""

Key = tuple[str, str | None, str, bool, str, str]
"""What a card is of: provider, model, tier, batch, speed, geography."""


class Setting(NamedTuple):
    """In what way a call was served, beside where and when. Empty is the standard."""

    tier: str = ""
    batch: bool = False
    speed: str = ""
    geo: str = ""

    def axes(self) -> dict[str, str]:
        """What departs from the standard, by the pack's names.

        A pack that has no rate for an axis, or none at that moment, prices at the standard rates,
        and the card says so: a tier is never silently standard. This covers Anthropic's priority
        tier too, whose price is a matter of contract
        (https://platform.claude.com/docs/en/api/service-tiers).
        """
        axes: dict[str, str] = {}
        if self.tier not in STANDARD_TIERS:
            axes["service_tier"] = self.tier
        if self.batch:
            axes["processing"] = "batch"
        if self.speed not in ("", "standard"):
            axes["speed"] = self.speed
        if self.geo not in ("", "global"):
            axes["geo"] = self.geo
        return axes


class Rates(NamedTuple):
    """Integers of ``1 / per_usd`` dollars for one of each, or an hour of it; None is not known.

    Where a rate may stand in for one that is absent:

    - cached input without a rate is input at its full rate, and so is a cache write: a provider
      that lists no discount or surcharge has none. Not so for the longer retentions, which cost
      more than the ordinary write (https://platform.claude.com/docs/en/about-claude/pricing, twice
      the input rate for an hour; the rates differ between providers, so none is assumed).
    - image input is input: "image inputs are metered and charged in tokens, just as text inputs"
      (https://platform.openai.com/docs/guides/images-vision), and Google lists one rate for both.
    - video input is input: Google lists one rate for "text / image / video"
      (https://ai.google.dev/gemini-api/docs/pricing), and one of its own where it has one.
    - image output is output where image input has a rate of its own, which only image models have:
      their output rate is that of images.
    - audio has no such rule. It costs up to thirteen times the text rate.
    """

    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    cache_write_1h: int | None
    cache_write_12h: int | None
    input_audio: int | None
    input_image: int | None
    input_video: int | None
    input_audio_hour: int | None
    input_character: int | None
    cache_read_audio: int | None
    cache_read_image: int | None
    output_audio: int | None
    output_image: int | None
    output_video: int | None
    reasoning: int | None
    web_search: int | None
    preview_search: int | None
    file_search: int | None
    request: int | None


PRICE_KEYS: Final[Mapping[str, str]] = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "cache_write_12h": "cache_write_12h_mtok",
    "input_audio": "input_audio_mtok",
    "input_image": "input_image_mtok",
    "input_video": "input_video_mtok",
    "input_audio_hour": "input_audio_hours",
    "input_character": "input_mchars",
    "cache_read_audio": "cache_audio_read_mtok",
    "cache_read_image": "cache_image_read_mtok",
    "output_audio": "output_audio_mtok",
    "output_image": "output_image_mtok",
    "output_video": "output_video_mtok",
    "reasoning": "output_reasoning_mtok",
    "web_search": "web_searches_kcount",
    "preview_search": "preview_searches_kcount",
    "file_search": "storage_searches_kcount",
    "request": "requests_kcount",
}
"""The pack's key of each rate."""

_FEES: Final = Rates._fields.index("web_search")
"""Where in `Rates` the fees begin; what comes before is what a model takes in and puts out."""
_PER = {"mtok": 6, "mchars": 6, "kcount": 3, "hours": 0}
"""Powers of ten that the units of a key stand for."""


class Card(NamedTuple):
    """What one model costs in one setting from ``since`` until ``until``."""

    since: int
    until: int
    """Nanoseconds since the epoch, the end excluded."""
    brackets: tuple[tuple[int, Rates], ...] = ()
    """(more input tokens than this, rates of the whole request), ascending from -1."""
    per_usd: int = 1
    simple: tuple[int, int, int, int, int | None, int | None, int] | None = None
    """Below the first long-context threshold, where nothing about the card needs more care: the
    rates of input, output, cache read and write, what a write for 1 h costs above that, and the
    fees of a web search and of the request."""
    limit: int = -1
    """The largest input that ``simple`` is for."""
    match: str = ""
    model: str = ""
    """The pack's provider and model, for people."""
    problem: str = ""
    """What the pack does not know about this setting; empty when it has all rates."""
    free: bool = False
    unpriced: str | None = None
    """Why there is no price: ``unknown_provider``, ``unknown_model`` or ``no_price``."""
    prices: str = ""
    """The version of the table it was compiled from, and the user's rule that it is by."""
    by_rule: bool = False
    """Whether a rule of the user's made it."""
    hourly: Fraction | None = None
    """USD for an hour of one call, where that is the price: there are no rates then."""
    table: int = 0
    """Which table it was compiled from (`tables.SERIAL`)."""

    @property
    def needs_usage(self) -> bool:
        """Whether no amount is known before what a call consumed is."""
        if self.free or self.hourly is not None:
            return False
        used = [rate for _, rates in self.brackets for rate in rates[:_FEES]]
        return not used or any(rate != 0 for rate in used)

    def without_fee(self) -> Card:
        """For what is billed beside a request, which pays the request's own fee."""
        return self._replace(
            simple=None,
            brackets=tuple((above, rates._replace(request=None)) for above, rates in self.brackets),
        )

    def rates(self, input_tokens: int) -> Rates:
        """The rates of a request by its whole input, cache included."""
        return next(rates for above, rates in reversed(self.brackets) if input_tokens > above)


def unpriced(reason: str, match: str = "", model: str = "") -> Card:
    """The card of what has no price."""
    return Card(-EVER, EVER, match=match, model=model, unpriced=reason)


def compile_card(
    match: Match, setting: Setting, called: str, at_ns: int, rows: tuple[Row, ...] = ()
) -> Card:
    """The card of a model at a moment, with what ``rows`` of the overlay change.

    ``called`` is the pack's provider that serves it. Of a model that it resells for another, the
    price variants are not for sale there (genai-prices' rule), so that no tier but the standard has
    rates.
    """
    model = match.model
    own = model.provider == called
    name = f"{model.provider}/{model.id}"
    axes = setting.axes()
    rows = tuple(row for row in rows if not row.of[0] or _is_of(row, axes))
    variants = [
        (axis, value, when, rates)
        for axis, value, when, rates in (model.variants if own else ())
        if axes.get(axis) == value
    ]
    whens = [when for when, _ in model.prices] + [when for _, _, when, _ in variants]
    whens += [row.when for row in rows]
    changes = {edge for when in whens for edge in edges(when, at_ns)}
    since = max((edge for edge in changes if edge <= at_ns), default=-EVER)
    until = min((edge for edge in changes if edge > at_ns), default=EVER)
    rows = tuple(row for row in rows if holds(row.when, at_ns))

    standing = [prices for when, prices in model.prices if holds(when, at_ns)]
    listed = standing[-1] if standing else model.prices[0][1]
    prices = _with_rows(listed, [row for row in rows if not row.of[0]])
    covered: dict[str, str] = {}
    overrides: dict[str, Rate] = {}
    for axis, value, when, rates in variants:
        if holds(when, at_ns):
            covered[axis] = value
            overrides = {**rates, **overrides}
    if overrides:
        # What a row says of the standard setting is not said of another one; a fee is of all.
        kept = {key: rate for key, rate in prices.items() if key in listed or _is_fee(key)}
        prices = kept | overrides
    settings = [row for row in rows if row.of[0]]
    prices = _with_rows(prices, settings)
    together = len(covered) + sum(not row.on_top for row in settings) > 1
    covered |= {row.of[0]: axes[row.of[0]] for row in settings}
    unknown = [f"no rate for {axis} {value}" for axis, value in axes.items() if axis not in covered]
    if together:
        unknown.append(f"no rate for {' with '.join(covered.values())}")
    if match.problem:
        unknown.append(match.problem)
    if unread := sorted(prices.keys() - set(PRICE_KEYS.values())):
        unknown.append(f"usage does not report {', '.join(unread)}")

    if model.free and own:
        unknown.clear()
        prices |= dict.fromkeys(_USE_KEYS, "0")
    prices = {key: rate for key, rate in prices.items() if key not in unread}
    if prices.keys().isdisjoint(_USE_KEYS):
        return unpriced("no_price", match.how, name)._replace(since=since, until=until)
    scale = max(_places(key, at) for key, rate in prices.items() for _, at in tiers(rate))
    thresholds = {above for rate in prices.values() for above, _ in tiers(rate)}
    brackets = tuple((above, _rates(prices, above, scale)) for above in sorted(thresholds))
    first = brackets[0][1]
    free = not any(rate for _, rates in brackets for rate in rates)
    simple = None
    if not (unknown or free or _is_rare(first)):
        inp, out, read, write = first[:4]
        hour, search = first.cache_write_1h, first.web_search
        if not (inp is None or out is None or read is None or write is None):
            extra = None if hour is None else hour - write
            simple = (inp, out, read, write, extra, search, first.request or 0)
    return Card(
        since=since,
        until=until,
        brackets=brackets,
        per_usd=10**scale,
        simple=simple,
        limit=brackets[1][0] if len(brackets) > 1 else EVER,
        match=match.how,
        model=name,
        problem=joined(*unknown),
        free=free,
        prices=_said(rows),
    )


def _said(rows: tuple[Row, ...]) -> str:
    """What to say beside the pack's version; nothing for what only the fee of a tool is from."""
    read = [row.read for row in rows if row.times or not all(map(_is_fee, row.rates))]
    return f" and overlay {max(read)}" if read else ""


def _is_fee(key: str) -> bool:
    return key.endswith("_kcount")


def _is_of(row: Row, axes: Mapping[str, str]) -> bool:
    """Whether a row is of the setting that ``axes`` describe."""
    axis, values = row.of
    return axis in axes and (values == "*" or axes[axis] in values.split())


def _with_rows(prices: Prices, rows: list[Row]) -> dict[str, Rate]:
    """``prices`` with what ``rows`` change, in their order."""
    changed = dict(prices)
    for row in rows:
        changed |= row.rates
        if row.times:
            times = Decimal(row.times)
            changed = {
                key: rate if _is_fee(key) else _times(rate, times) for key, rate in changed.items()
            }
    return changed


_USE_KEYS: Final = frozenset(key for key in PRICE_KEYS.values() if not _is_fee(key))
"""Keys of what a model takes in and puts out, without which nothing of it has a price."""


def _is_rare(rates: Rates) -> bool:
    """Whether a request may be billed for what the fewest are, so that each needs more care."""
    return bool(rates.reasoning or rates.input_audio_hour or rates.input_character)


def _rates(prices: Prices, above: int, scale: int) -> Rates:
    """The rates of requests with more input tokens than ``above``, stand-ins included."""
    own = Rates(
        **{
            field: _scaled(key, _at(prices[key], above), scale) if key in prices else None
            for field, key in PRICE_KEYS.items()
        }
    )
    image_model = own.input_image is not None
    return own._replace(
        cache_read=_first(own.cache_read, own.input),
        cache_write=_first(own.cache_write, own.input),
        input_image=_first(own.input_image, own.input),
        input_video=_first(own.input_video, own.input),
        cache_read_audio=_first(
            own.cache_read_audio, own.input_audio if own.cache_read is None else None
        ),
        cache_read_image=_first(
            own.cache_read_image,
            own.cache_read if not image_model else None,
            own.input_image if own.cache_read is None else None,
            own.input if not image_model else None,
        ),
        output_image=_first(own.output_image, own.output if image_model else None),
    )


def _first(*rates: int | None) -> int | None:
    return next((rate for rate in rates if rate is not None), None)


def tiers(rate: Rate) -> list[tuple[int, str]]:
    """(more input tokens than this, decimal), ascending from -1."""
    if isinstance(rate, str):
        return [(-1, rate)]
    base, above = rate
    return [(-1, base), *((start, at) for start, at in above)]


def _times(rate: Rate, factor: Decimal) -> Rate:
    if isinstance(rate, str):
        return f"{Decimal(rate) * factor:f}"
    base, above = rate
    return [_times(base, factor), [[start, _times(at, factor)] for start, at in above]]


def _at(rate: Rate, above: int) -> str:
    return [decimal for start, decimal in tiers(rate) if start <= above][-1]


def _places(key: str, decimal: str) -> int:
    """How many decimal places one unit's price has."""
    return _PER[key.rpartition("_")[2]] + len(decimal.partition(".")[2])


def _scaled(key: str, decimal: str, scale: int) -> int:
    return int(decimal.replace(".", "")) * 10 ** (scale - _places(key, decimal))
