"""Make a sample of raw spans: ``python cost.py EMITTER SOURCE < raw.json > ../EMITTER.json``.

Adds what each call costs by genai-prices from the provider's own usage object, and makes constant
what is random in the spans. ``raw.json`` is what the scripts beside this print, or is written by
hand: ``{"packages": …, "calls": …}``, or a list of these.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from typing import Any

import genai_prices

AT = datetime(2026, 10, 1, tzinfo=UTC)
SERVED = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
}
TIMED = re.compile(r"duration|time_to|per_output|PerSecond|msTo|timestamp|event\.\w+_time|headers")
RANDOM = re.compile(r"aitxt-\w+|[0-9a-f]{8}-[0-9a-f-]{27}")


def counts(provider: str, usage: dict[str, Any]) -> dict[str, int]:
    """A provider's own usage object in genai-prices' terms, by each provider's documentation."""
    if provider == "anthropic":
        split = usage.get("cache_creation") or {}
        read, write = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        return {
            "input_tokens": usage["input_tokens"] + read + write,
            "output_tokens": usage["output_tokens"],
            "cache_read_tokens": read,
            "cache_write_tokens": write,
            "cache_write_1h_tokens": split.get("ephemeral_1h_input_tokens", 0),
        }
    if provider == "aws.bedrock":
        read = usage.get("cacheReadInputTokens", 0)
        write = usage.get("cacheWriteInputTokens", 0)
        return {
            "input_tokens": usage["inputTokens"] + read + write,
            "output_tokens": usage["outputTokens"],
            "cache_read_tokens": read,
            "cache_write_tokens": write,
        }
    if provider.startswith("gcp."):
        return {
            "input_tokens": usage["promptTokenCount"],
            "output_tokens": usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0),
            "cache_read_tokens": usage.get("cachedContentTokenCount", 0),
        }
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    return {
        "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens", 0)),
        "output_tokens": usage.get("completion_tokens", usage.get("output_tokens", 0)),
        "cache_read_tokens": details.get("cached_tokens", 0),
    }


def cost(provider: str, model: str, usage: dict[str, Any]) -> str:
    """USD. Raises `LookupError` for a model that genai-prices does not know."""
    priced = genai_prices.calc_price(
        genai_prices.Usage(**counts(provider, usage)),
        model,
        provider_id=SERVED[provider],
        genai_request_timestamp=AT,
    )
    return str(priced.total_price)


def constant(value: Any) -> Any:
    """Without what is random in it."""
    return (
        RANDOM.sub("00000000-0000-4000-8000-000000000000", value)
        if isinstance(value, str)
        else value
    )


def main(emitter: str, source: str) -> None:
    raw: Any = json.load(sys.stdin)
    found = raw if isinstance(raw, list) else [raw]
    calls = [call for one in found for call in one["calls"]]
    for call in calls:
        call["ledger"] = [
            entry | {"cost": cost(entry["provider"], entry["model"], entry["usage"])}
            for entry in call["ledger"]
        ]
        for span in call["spans"]:
            for part in ("at_start", "attributes"):
                span[part] = {
                    name: constant(span[part][name])
                    for name in sorted(span[part])
                    if not TIMED.search(name)
                }
    sample = {"emitter": emitter, "source": source, "packages": [one["packages"] for one in found]}
    print(json.dumps(sample | {"calls": calls}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
