"""Langfuse's own SDK: generations and embeddings, with usage and cost as JSON.

Usage is either the provider's own object, as the wrappers of clients write it (then it is read as
that provider's), or counts by Langfuse's names: every key that begins with ``input_`` or
``output_`` is then beside ``input`` or ``output``, not in it, unless the total says otherwise
(https://langfuse.com/docs/observability/features/token-and-cost-tracking).

Langfuse keeps no provider, and neither a model's name nor the shape of OpenAI's usage tells one:
half of all hosts speak it. A generation is priced where its span says who served it: by
``gen_ai.provider.name``, by the metadata ``provider`` (what an application may set, and LiteLLM
does) or ``ls_provider`` (LangChain's), by an id that is one provider's alone, or by Anthropic's
``inference_geo``, which no other host of Claude reports. Otherwise it has no amount but the cost
that its span says.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, named_operation
from farthing_processor.dialects.embedded import json_in
from farthing_processor.dialects.model_ids import provider_of_id
from farthing_processor.dialects.reading import dollars
from farthing_processor.readers import (
    anthropic_messages,
    bedrock_converse,
    gemini_generate_content,
    openai_chat,
    openai_responses,
)
from farthing_processor.readers.values import Fields, count_in, fields
from farthing_processor.usage import Usage

TYPE: Final = "langfuse.observation.type"
MODEL: Final = "langfuse.observation.model.name"
USAGE: Final = "langfuse.observation.usage_details"
COST: Final = "langfuse.observation.cost_details"
PARAMETERS: Final = "langfuse.observation.model.parameters"
METADATA: Final = "langfuse.observation.metadata."

_OPERATIONS: Final = {"generation": "chat", "embedding": "embeddings"}

_SHAPES: Final[tuple[tuple[str, Callable[[object], Usage | None]], ...]] = (
    ("prompt_tokens", openai_chat),
    ("input_tokens_details", openai_responses),
    ("cache_read_input_tokens", anthropic_messages),
    ("cache_creation_input_tokens", anthropic_messages),
    ("input_tokens", openai_responses),
    ("inputTokens", bedrock_converse),
    ("promptTokenCount", gemini_generate_content),
    ("prompt_token_count", gemini_generate_content),
)
"""A member that only this provider's usage object has → its reader; the first that is there counts.
None is among Langfuse's own names, where there is an ``input``."""

_PARTS: Final = {
    "cache_read": (
        "input_cached_tokens",
        "input_cache_read",
        "input_cache_read_tokens",
        "cache_read_input_tokens",
    ),
    "cache_write": (
        "input_cache_creation",
        "input_cache_creation_tokens",
        "cache_creation_input_tokens",
    ),
    "cache_write_5m": ("input_cache_creation_5m", "input_ephemeral_5m_input_tokens"),
    "cache_write_1h": ("input_cache_creation_1h", "input_ephemeral_1h_input_tokens"),
    "input_audio": ("input_audio", "input_audio_tokens"),
    "input_image": ("input_image", "input_image_tokens"),
    "reasoning": ("output_reasoning", "output_reasoning_tokens"),
    "output_audio": ("output_audio", "output_audio_tokens"),
}
_INPUTS: Final = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"})
"""Parts of the input by Anthropic's names, which Langfuse knows too."""


def _operation(attributes: Attributes) -> str | None:
    kind = attributes.get(TYPE)
    if not isinstance(kind, str):
        return named_operation(attributes)
    return _OPERATIONS.get(kind)


def _opened(attributes: Attributes) -> Attributes:
    usage = json_in(attributes, USAGE)
    if not usage:
        return attributes
    if "input" in usage or "output" in usage:
        return {**attributes, **_by_name(usage)}
    return {**attributes, USAGE: usage}


def _by_name(usage: Fields) -> dict[str, Any]:
    """Counts by Langfuse's names, under the names of our table."""
    ignored: list[str] = []
    counts = {key: count_in(usage, key, ignored) for key in usage}
    beside = {
        side: sum(
            count or 0
            for key, count in counts.items()
            if (key.startswith(f"{side}_") or (side == "input" and key in _INPUTS))
            and "priority" not in key
        )
        for side in ("input", "output")
    }
    inp, out, total = (counts.get(key) for key in ("input", "output", "total"))
    # Whoever counted the parts in the whole has a total that says so.
    sums = (
        (beside["input"], beside["output"]),
        (0, beside["output"]),
        (beside["input"], 0),
        (0, 0),
    )
    more_in, more_out = next(
        (more for more in sums if total == (inp or 0) + (out or 0) + sum(more)), sums[0]
    )
    found: dict[str, Any] = {
        f"{USAGE}.{field}": sum(counts.get(key) or 0 for key in keys)
        for field, keys in _PARTS.items()
        if any(counts.get(key) is not None for key in keys)
    }
    for key, count, more in (("input", inp, more_in), ("output", out, more_out)):
        if key in usage:
            # What is no count stays as it is, for it to be found out.
            found[f"{USAGE}.{key}"] = usage[key] if count is None else count + more
    return _with_writes(found)


def _with_writes(found: dict[str, Any]) -> dict[str, Any]:
    """All that was written to the cache under one name, where it is told by time to live."""
    by_ttl = [found.get(f"{USAGE}.cache_write_{ttl}") for ttl in ("5m", "1h")]
    if any(count is not None for count in by_ttl):
        rest = found.get(f"{USAGE}.cache_write", 0)
        found[f"{USAGE}.cache_write"] = rest + sum(count or 0 for count in by_ttl)
    return found


def _usage(attributes: Attributes, _provider: str) -> Usage | None:
    """The provider's own object, if that is what there is; the tier is among the parameters."""
    usage = _raw(attributes)
    for member, reader in _SHAPES:
        if member in usage:
            tier = json_in(attributes, PARAMETERS).get("service_tier")
            return reader({"usage": usage, "service_tier": tier})
    return None


def _raw(attributes: Attributes) -> Fields:
    """The provider's own usage object, where `_opened` found one."""
    usage = attributes.get(USAGE)
    return {} if isinstance(usage, str) else fields(usage)


def _provider(attributes: Attributes) -> str | None:
    for name in (*GENAI["provider"], f"{METADATA}provider", f"{METADATA}ls_provider"):
        word = attributes.get(name)
        if isinstance(word, str) and (word := word.strip('"')):  # metadata is JSON
            return word
    if "inference_geo" in _raw(attributes):
        return "anthropic"
    return provider_of_id(attributes.get(MODEL))


def _cost(attributes: Attributes) -> Decimal | None:
    """The total; without one, the sum of what there is, as Langfuse has it."""
    costs = json_in(attributes, COST)
    if "total" in costs:
        return dollars(costs["total"])
    known = [amount for cost in costs.values() if (amount := dollars(cost)) is not None]
    return sum(known, Decimal()) if known else None


LANGFUSE: Final = Dialect(
    name="langfuse",
    packages=("langfuse",),
    scopes=("langfuse-sdk",),
    records_tokens=False,
    marks=frozenset({TYPE, MODEL, USAGE}),
    names={
        **GENAI,
        **{
            field: (f"{USAGE}.{field}", *GENAI.get(field, ()))
            for field in ("input", "output", *_PARTS)
        },
        "request_model": (MODEL, *GENAI["request_model"]),
        "workflow": ("langfuse.trace.name",),
        "user": ("user.id", "langfuse.user.id"),
        "session": ("session.id", "langfuse.session.id"),
    },
    operation=_operation,
    opened=_opened,
    usage=_usage,
    cost=_cost,
    provider=_provider,
)
