"""The bill: a usage priced line by line, exactly, and what of it has no rate."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from farthing_processor.pricing.card import Card, Rates
from farthing_processor.semconv import COST_CLASSES
from farthing_processor.usage import Usage

CLASSES: Final = COST_CLASSES
"""The classes that a cost is reported by. Every modality is in its class; fees for searches and for
a request are `TOOLS`."""
INPUT, CACHE_READ, CACHE_WRITE, OUTPUT, TOOLS = CLASSES
HOUR: Final = 3600


class Line(NamedTuple):
    """So many of one thing at one rate."""

    part_of: str
    """One of `CLASSES`."""
    what: str
    quantity: int | Decimal
    rate: int | None
    """In ``1 / Card.per_usd`` dollars; None where it is not known."""
    per: int = 1
    """How many the rate is for; more than one only of a decimal quantity."""

    @property
    def amount(self) -> int | Fraction:
        """In ``1 / Card.per_usd`` dollars; 0 where the rate is not known."""
        quantity = self.quantity
        if isinstance(quantity, Decimal):
            quantity = Fraction(quantity) / self.per
        return quantity * (self.rate or 0)


class Bill(NamedTuple):
    """All that a usage is billed, and what is wrong with it."""

    lines: tuple[Line, ...]
    unknown: tuple[str, ...]
    """What makes the sum partial, in a few words each; empty when it is whole. What has no rate is
    left out of the sum, not guessed at."""


def bill(usage: Usage, card: Card) -> Bill:
    """Every line of something, for a usage whose parts fit (`checked`) and a card with rates."""
    rates = card.rates(usage.input_tokens or 0)
    lines = tuple(Line(*row) for row in _rows(usage, rates) if row[2])
    if usage.input_audio_seconds:
        hour = rates.input_audio_hour
        lines += (Line(INPUT, "audio seconds", usage.input_audio_seconds, hour, HOUR),)
    unknown = [f"no rate for {line.what}" for line in lines if line.rate is None]
    if usage.input_tokens is None and rates.input:
        unknown.append("input tokens not reported")
    if usage.output_tokens is None and rates.output:
        unknown.append("output tokens not reported")
    if usage.input_audio_seconds is None and rates.input_audio_hour:
        unknown.append("audio seconds not reported")
    if not usage.input_characters and rates.input_character:
        unknown.append("characters not reported")
    # The modality of cached tokens matters where it has a rate of its own.
    split_audio = rates.input_audio != rates.input and usage.input_audio_tokens
    split_image = rates.input_image != rates.input and usage.input_image_tokens
    video = _video(usage, rates)
    if (split_audio or split_image or video) and _overlap(usage, video) > 0:
        unknown.append("cached tokens not reported by modality")
    return Bill(lines, tuple(unknown))


def cache_savings(usage: Usage, card: Card) -> int:
    """What the prompt cache saved: what the same usage would have cost without it, less what it
    does, in ``1 / Card.per_usd`` dollars. 0 where one of the rates is not known."""
    if not (usage.cache_read_tokens or usage.cache_write_tokens):
        return 0
    rates = card.rates(usage.input_tokens or 0)
    saved = 0
    for sign, rows in ((1, _rows(usage._replace(**_UNCACHED), rates)), (-1, _rows(usage, rates))):
        for part_of, _, quantity, rate in rows:
            if quantity and part_of in (INPUT, CACHE_READ, CACHE_WRITE):
                if rate is None:
                    return 0
                saved += sign * quantity * rate
    return saved


_UNCACHED: Final = {name: 0 for name in Usage._fields if name.startswith("cache_")}


def _video(usage: Usage, rates: Rates) -> int:
    """Input that is billed as video; where that costs as other input does, it is that."""
    return usage.input_video_tokens if rates.input_video != rates.input else 0


def _overlap(usage: Usage, video: int) -> int:
    """Tokens that are audio, image or ``video`` and cached too, beyond those reported as both."""
    both = usage.cache_read_audio_tokens + usage.cache_read_image_tokens
    modal = usage.input_audio_tokens + usage.input_image_tokens + video - both
    fresh = (usage.input_tokens or 0) - usage.cache_read_tokens - usage.cache_write_tokens
    return max(0, modal - fresh)


def _rows(usage: Usage, rates: Rates) -> tuple[tuple[str, str, int, int | None], ...]:
    """What every `Line` could be, also of nothing."""
    read_audio, read_image = usage.cache_read_audio_tokens, usage.cache_read_image_tokens
    write_1h, write_12h = usage.cache_write_1h_tokens, usage.cache_write_12h_tokens
    fresh = (usage.input_tokens or 0) - usage.cache_read_tokens - usage.cache_write_tokens
    audio = min(usage.input_audio_tokens - read_audio, fresh)
    image = min(usage.input_image_tokens - read_image, fresh - audio)
    video = min(_video(usage, rates), fresh - audio - image)
    out_audio, out_image = usage.output_audio_tokens, usage.output_image_tokens
    out_video = usage.output_video_tokens
    text_out = (usage.output_tokens or 0) - out_audio - out_image - out_video
    # They are counted in a request: of a model that is billed otherwise they say nothing.
    characters = 0 if rates.input_character is None else usage.input_characters
    reasoning = 0
    if rates.reasoning is not None:
        reasoning = min(usage.reasoning_tokens or 0, text_out)
    return (
        (INPUT, "input", fresh - audio - image - video, rates.input),
        (INPUT, "audio input", audio, rates.input_audio),
        (INPUT, "image input", image, rates.input_image),
        (INPUT, "video input", video, rates.input_video),
        (INPUT, "characters", characters, rates.input_character),
        (
            CACHE_READ,
            "cache read",
            usage.cache_read_tokens - read_audio - read_image,
            rates.cache_read,
        ),
        (CACHE_READ, "audio cache read", read_audio, rates.cache_read_audio),
        (CACHE_READ, "image cache read", read_image, rates.cache_read_image),
        (
            CACHE_WRITE,
            "cache write",
            usage.cache_write_tokens - write_1h - write_12h,
            rates.cache_write,
        ),
        (CACHE_WRITE, "1 h cache write", write_1h, rates.cache_write_1h),
        (CACHE_WRITE, "12 h cache write", write_12h, rates.cache_write_12h),
        (OUTPUT, "output", text_out - reasoning, rates.output),
        (OUTPUT, "reasoning output", reasoning, rates.reasoning),
        (OUTPUT, "audio output", out_audio, rates.output_audio),
        (OUTPUT, "image output", out_image, rates.output_image),
        (OUTPUT, "video output", out_video, rates.output_video),
        (TOOLS, "web search", usage.web_searches, rates.web_search),
        (TOOLS, "preview web search", usage.preview_searches, rates.preview_search),
        (TOOLS, "file search", usage.file_searches, rates.file_search),
        (TOOLS, "request", 1 if rates.request else 0, rates.request),
    )
