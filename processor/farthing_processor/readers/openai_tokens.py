"""OpenAI's usage object: the shape that chat, responses, audio and embeddings share."""

from __future__ import annotations

from typing import Final, NamedTuple

from farthing_processor.readers.compatible import PLAIN, extras, thinks_outside
from farthing_processor.readers.values import Fields, count_in, fields, name_in
from farthing_processor.usage import STANDARD_TIERS, Usage, fitted, joined


class Names(NamedTuple):
    """What an API calls the four members of its usage object."""

    input: str
    input_details: str
    output: str
    output_details: str


PROMPT: Final = Names(
    "prompt_tokens", "prompt_tokens_details", "completion_tokens", "completion_tokens_details"
)
INPUT: Final = Names(
    "input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details"
)
REALTIME: Final = Names(
    "input_tokens", "input_token_details", "output_tokens", "output_token_details"
)


def token_usage(response: Fields, usage: Fields, names: Names) -> Usage:
    """The usage object that chat, responses and embeddings share but for its names."""
    faults: list[str] = []
    inp = count_in(usage, names.input, faults)
    out = count_in(usage, names.output, faults)
    total = count_in(usage, "total_tokens", faults)
    read = write = write_12h = in_audio = in_image = out_audio = 0
    reasoning = more = None
    if details := usage.get(names.input_details):
        details = fields(details)
        read = count_in(details, "cached_tokens", faults) or 0
        write = count_in(details, "cache_write_tokens", faults) or 0
        if write and (split := details.get("cache_write_tokens_details")):
            write_12h = count_in(fields(split), "ttl_12h_tokens", faults) or 0
        in_audio = count_in(details, "audio_tokens", faults) or 0
        in_image = count_in(details, "image_tokens", faults) or 0
    if out_details := usage.get(names.output_details):
        out_details = fields(out_details)
        reasoning = count_in(out_details, "reasoning_tokens", faults)
        out_audio = count_in(out_details, "audio_tokens", faults) or 0
    tier = name_in(response, "service_tier", faults)
    if not PLAIN.issuperset(usage):
        more = extras(usage, fields(details), faults)
        read = read or more.cache_read or 0
        write = write or more.cache_write or 0
        reasoning = more.reasoning if reasoning is None else reasoning
        tier = tier or more.tier
    if total is not None and inp is not None and total != inp + (out or 0):
        if total > inp + (out or 0) and not reasoning and thinks_outside(response):
            out = out or 0
            reasoning = total - inp - out
        if more is None or not more.audio_seconds:
            inp, out = summed(inp, out, total, read + write, reasoning or 0, faults)
    read_usage = Usage(
        inp,
        out,
        read,
        write,
        0,
        write_12h,
        reasoning,
        in_audio,
        in_image,
        0,
        0,
        out_audio,
        tier="" if tier in STANDARD_TIERS else tier,
        problem=joined(*faults),
    )
    if more is not None:
        read_usage = read_usage._replace(
            cache_write_1h_tokens=more.cache_write_1h,
            input_audio_seconds=more.audio_seconds,
            reported_cost=more.cost,
            also=more.also,
        )
    if read or write or in_audio or in_image or out_audio:
        return fitted(read_usage)
    return read_usage


def summed(
    inp: int, out: int | None, total: int, cached: int, reasoning: int, faults: list[str]
) -> tuple[int, int | None]:
    """Input and output, as ``total`` bears them out.

    Some compatible hosts count cached or reasoning tokens on top of the whole; only the total can
    tell. A total that nothing explains is a fault.
    """
    excess = total - inp - (out or 0)
    if excess == 0:
        return inp, out
    if excess > 0 and out is not None:
        if excess == reasoning:
            return inp, out + reasoning
        if excess == cached:
            return inp + cached, out
        if excess == cached + reasoning:
            return inp + cached, out + reasoning
    faults.append("total_tokens is not the sum")
    return inp, out
