"""What pricing and reading usage cost, in microseconds: `figures()`, for `make bench`."""

from __future__ import annotations

import timeit
from collections.abc import Callable

from farthing_processor.pricing import price
from farthing_processor.pricing.cards import Cards, from_table
from farthing_processor.pricing.pack import Pack, shipped
from farthing_processor.readers import READERS
from farthing_processor.usage import Usage

AT_NS = 1_795_176_000 * 10**9
CHAT = {
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
}
MESSAGE = {
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 100000,
        "cache_creation_input_tokens": 5000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 3000},
        "output_tokens": 500,
        "service_tier": "standard",
    }
}


def figures() -> dict[str, float]:
    """Name to microseconds a call, the best of five rounds."""
    plain, cached = Usage(2000, 300), Usage(105010, 500, 100000, 5000, 3000)
    audio = Usage(1000, 600, input_audio_tokens=800, output_audio_tokens=500)
    key = ("openai", "gpt-5", "", False, "", "")
    missing = ("openai", "gpt-99", "", False, "", "")
    return {
        "price, in and out": _us(_pricing(plain, "openai", "gpt-5")),
        "price, cache read and both writes": _us(
            _pricing(cached, "anthropic", "claude-sonnet-4-6")
        ),
        "price, audio": _us(_pricing(audio, "openai", "gpt-audio")),
        "price, unknown model": _us(_pricing(plain, "openai", "gpt-99")),
        "compile a card": _us(lambda: Cards(from_table).get(key, AT_NS), 2000),
        "an unknown name for the first time": _us(
            lambda: Cards(from_table).get(missing, AT_NS), 2000
        ),
        "read a chat usage": _us(lambda: READERS["openai", "chat.completions"](CHAT)),
        "read a message usage": _us(lambda: READERS["anthropic", "messages"](MESSAGE)),
        "load the pack and one provider": _us(_load, 20),
    }


def _pricing(usage: Usage, provider: str, model: str) -> Callable[[], object]:
    return lambda: price(usage, provider=provider, model=model, at_ns=AT_NS)


def _load() -> None:
    shipped.cache_clear()
    pack: Pack = shipped()
    assert pack.provider("openai")


def _us(work: Callable[[], object], number: int = 50_000) -> float:
    work()
    return min(timeit.repeat(work, number=number, repeat=5)) / number * 1e6
