"""What hosts that speak OpenAI's language report beside what OpenAI does.

The members of a usage object are read whoever serves: they say what they are by their names, and a
gateway passes on those of the host behind it.

- ``cost``: US dollars, what the call was charged. OpenRouter
  (https://openrouter.ai/docs/use-cases/usage-accounting; a credit is a dollar); LiteLLM's proxy,
  when asked to. With the caller's own key (``is_byok``) it is OpenRouter's fee alone, and
  ``cost_details.upstream_inference_cost`` comes on top; else that repeats the cost. As an object,
  its ``total_cost`` (Perplexity, https://docs.perplexity.ai/api-reference/chat-completions-post).
- ``cost_in_usd_ticks``: the same in 1e-10 dollars (xAI, https://docs.x.ai/developers/cost-tracking).
- ``prompt_cache_hit_tokens`` and ``prompt_cache_miss_tokens``: together the whole prompt
  (DeepSeek, https://api-docs.deepseek.com/guides/kv_cache).
- ``cached_tokens`` and ``reasoning_tokens`` outside the details (Together, Moonshot, Perplexity).
- ``cache_read_input_tokens`` and ``cache_creation_input_tokens``, and in the details
  ``cache_creation_tokens`` and their split by retention: a Claude model behind LiteLLM, which
  counts them in ``prompt_tokens`` as OpenAI does.
- ``prompt_audio_seconds`` and ``service_tier`` (`UsageInfo` of mistralai 3.7). The tokens of the
  audio are in the total alone, for it is billed by its duration.
- ``num_search_queries``, ``citation_tokens`` (Perplexity) and ``num_sources_used`` (xAI): billed,
  by rates that the pack has not, where no cost is reported.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any, Final, NamedTuple

from farthing_processor.readers.values import (
    Fields,
    count_in,
    dollars_in,
    fields,
    name_in,
    seconds_in,
    unpriced,
)
from farthing_processor.usage import Usage

PLAIN: Final = frozenset(
    {
        "prompt_tokens",
        "prompt_tokens_details",
        "completion_tokens",
        "completion_tokens_details",
        "input_tokens",
        "input_tokens_details",
        "input_token_details",
        "output_tokens",
        "output_tokens_details",
        "output_token_details",
        "total_tokens",
        "type",
    }
)
"""The members of OpenAI's own usage objects."""

_TICKS: Final = -10
_EXACT: Final = Context(prec=100)
"""More digits than two amounts have together: whatever the application's own context rounds to."""

_READS: Final = ("cached_tokens", "cache_read_input_tokens")
_FEES: Final = {
    "num_search_queries": "search queries",
    "citation_tokens": "citation tokens",
    "num_sources_used": "live search sources",
}


class Extras(NamedTuple):
    """What there is of it, by the names of `Usage`."""

    cache_read: int | None
    cache_write: int | None
    cache_write_1h: int
    reasoning: int | None
    audio_seconds: Decimal | None
    tier: str
    cost: Decimal | None
    also: tuple[tuple[str, Usage], ...]


def extras(usage: Fields, details: Fields, faults: list[str]) -> Extras:
    """All that ``usage`` and its input ``details`` hold beside `PLAIN`."""
    # Some clients have an object that is false for what the host left out.
    given = {
        name: value
        for name, value in usage.items()
        if name not in PLAIN and (value or isinstance(value, int | float))
    }
    hits = count_in(given, "prompt_cache_hit_tokens", faults)
    if hits is not None:
        misses = count_in(given, "prompt_cache_miss_tokens", faults)
        prompt = usage.get("prompt_tokens")
        if misses is not None and type(prompt) is int and hits + misses != prompt:
            faults.append("prompt_tokens is not the sum of hits and misses")
    read = hits
    for name in _READS if read is None else ():
        read = count_in(given, name, faults) if read is None else read
    write, write_1h = count_in(given, "cache_creation_input_tokens", faults), 0
    if "cache_creation_tokens" in details:
        write = count_in(details, "cache_creation_tokens", faults)
        split = fields(details.get("cache_creation_token_details"))
        write_1h = count_in(split, "ephemeral_1h_input_tokens", faults) or 0
    cost = charged(given, faults)
    also = ()
    if cost is None and not _FEES.keys().isdisjoint(given):
        fees = (what for name, what in _FEES.items() if count_in(given, name, faults))
        also = tuple(map(unpriced, fees))
    return Extras(
        read,
        write,
        write_1h,
        count_in(given, "reasoning_tokens", faults),
        seconds_in(given, "prompt_audio_seconds", faults),
        name_in(given, "service_tier", faults),
        cost,
        also,
    )


def thinks_outside(response: Fields) -> bool:
    """Whether what the total has beyond input and output must be reasoning: with a Gemini model.

    Google's own OpenAI-compatible API and gateways over it leave thoughts out of
    ``completion_tokens`` without counting them elsewhere, and they are billed as output
    (https://github.com/Clarifai/clarifai-python/pull/978,
    https://github.com/mozilla-ai/any-llm/issues/1290).
    """
    model: Any = response.get("model")
    return isinstance(model, str) and model.rpartition("/")[2].startswith("gemini-")


def charged(usage: Fields, faults: list[str]) -> Decimal | None:
    """What the host says that it charged, in dollars."""
    if "cost_in_usd_ticks" in usage:
        ticks = count_in(usage, "cost_in_usd_ticks", faults)
        return None if ticks is None else Decimal(ticks).scaleb(_TICKS, _EXACT)
    cost = usage.get("cost")
    if cost is None:
        return None
    if not isinstance(cost, int | float | str | Decimal):
        bill = fields(cost)
        if bill.get("currency") not in (None, "USD"):
            faults.append("cost is not in USD")
            return None
        return dollars_in(bill, "total_cost", faults)
    own = dollars_in(usage, "cost", faults)
    if own is None or usage.get("is_byok") is not True:
        return own
    upstream = dollars_in(fields(usage.get("cost_details")), "upstream_inference_cost", faults)
    if upstream is None:
        faults.append("the cost upstream is not reported")
        return None
    return _EXACT.add(own, upstream)
