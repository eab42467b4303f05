"""Readers of Amazon Bedrock: Converse, and InvokeModel with the vendor's own body.

Shapes: the service model of botocore 1.44 (bedrock-runtime), and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html for the vendors' bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from farthing_processor.readers.anthropic import anthropic_messages
from farthing_processor.readers.cohere import cohere_usage
from farthing_processor.readers.openai import openai_chat
from farthing_processor.readers.values import (
    Fields,
    count_in,
    fields,
    items,
    name_in,
    unpriced,
)
from farthing_processor.usage import STANDARD_TIERS, Usage, fitted, joined


class _Names(NamedTuple):
    """What a place calls the counts; of what was cached, the first name that is there."""

    input: str
    output: str
    read: tuple[str, ...]
    write: tuple[str, ...]


_CONVERSE: Final = _Names(
    "inputTokens",
    "outputTokens",
    ("cacheReadInputTokens", "cacheReadInputTokenCount"),
    ("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
)
"""Converse, and Amazon Nova, which has the second names where it is invoked."""
_METRICS: Final = _Names(
    "inputTokenCount",
    "outputTokenCount",
    ("cacheReadInputTokenCount",),
    ("cacheWriteInputTokenCount",),
)
_HEADERS: Final = _Names(
    "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-output-token-count",
    ("x-amzn-bedrock-cache-read-input-token-count",),
    ("x-amzn-bedrock-cache-write-input-token-count",),
)
_TIER_HEADER: Final = "x-amzn-bedrock-service-tier"
_LATENCY_HEADER: Final = "x-amzn-bedrock-performanceconfig-latency"
_METRICS_MEMBER: Final = "amazon-bedrock-invocationMetrics"

_OF_OPENAI: Final = "openai."
_STANDARD_SPEEDS: Final = frozenset({"", "standard"})
"""What is ``optimized`` for latency has prices of its own."""


def bedrock_converse(body: object, model: str = "") -> Usage | None:
    """Converse, or the ``metadata`` event that ends ConverseStream.

    ``inputTokens`` excludes what was read from the cache and written to it, so the three are added
    (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html), unless the total
    says that some of it is inside. ``model`` is the ``modelId`` of the request, for the body names
    none: in a stream OpenAI's models count what is cached twice, in the total too
    (https://github.com/maximhq/bifrost/pull/6942), which is mended and named as a problem.
    """
    response = fields(body)
    response = fields(response.get("metadata")) or response
    usage = fields(response.get("usage"))
    if not usage:
        return None
    faults: list[str] = []
    inp = count_in(usage, "inputTokens", faults)
    out = count_in(usage, "outputTokens", faults)
    total = count_in(usage, "totalTokens", faults)
    if inp is None and out is None and not faults:
        return None
    read = _first(usage, _CONVERSE.read, faults)
    write = _first(usage, _CONVERSE.write, faults)
    if inp is not None:
        inp = _whole(inp, out, total, read, write, faults)
        if _OF_OPENAI in model and inp >= 2 * (read + write) > 0:
            inp -= read + write
            faults.append("cached tokens were counted twice")
    write_1h = 0
    if details := usage.get("cacheDetails"):
        write_1h = _kept_1h(details, write, faults)
    tier = latency = ""
    if served := response.get("serviceTier"):
        tier = name_in(fields(served), "type", faults)
    if config := response.get("performanceConfig"):
        latency = name_in(fields(config), "latency", faults)
    tools = usage.get("serverToolUsage")
    return fitted(
        Usage(
            inp,
            out,
            read,
            write,
            write_1h,
            tier="" if tier in STANDARD_TIERS else tier,
            speed="" if latency in _STANDARD_SPEEDS else latency,
            also=(unpriced("server tools"),) if tools and any(fields(tools).values()) else (),
            problem=joined(*faults),
        )
    )


def bedrock_invoke(body: object, headers: Mapping[str, object] | None = None) -> Usage | None:
    """InvokeModel, or one event of its stream: the body of whatever vendor's model was invoked.

    Every vendor has names of its own, so that the body tells which it is. A vendor that counts
    nothing in it (Cohere, Mistral's text completion, DeepSeek's) is read from the metrics that
    Bedrock adds to the end of a stream, else from the response's ``headers``: their names in
    whatever case, each with its value or a list of one. The served tier and latency are there only.
    """
    response = fields(body)
    lower = {name.lower(): _one(value) for name, value in (headers or {}).items()}
    faults: list[str] = []
    read = next(
        (
            usage
            for usage in (
                _vendor(response),
                _counts(fields(response.get(_METRICS_MEMBER)), _METRICS, faults),
                _counts(lower, _HEADERS, faults),
            )
            if usage is not None and (usage.input_tokens is not None or usage.problem)
        ),
        None,
    )
    if read is None:
        return None
    tier = name_in(lower, _TIER_HEADER, faults)
    latency = name_in(lower, _LATENCY_HEADER, faults)
    return read._replace(
        tier=read.tier if tier in STANDARD_TIERS else tier,
        speed=read.speed if latency in _STANDARD_SPEEDS else latency,
        problem=joined(read.problem, *faults),
    )


def _vendor(response: Fields) -> Usage | None:
    """What the vendor's body itself says."""
    usage = fields(response.get("usage"))
    if "input_tokens" in usage:
        return anthropic_messages(response)
    if "prompt_tokens" in usage:
        # Mistral's chat, AI21's Jamba, DeepSeek, OpenAI, Qwen.
        return openai_chat(response)
    if "inputTokens" in usage:
        return bedrock_converse(response)  # Nova
    counts = usage or response
    if "prompt_token_count" in counts:
        return _pair(counts, "prompt_token_count", "generation_token_count")  # Llama
    if "inputTextTokenCount" in counts:
        return _titan(counts)
    return cohere_usage(response)


def _titan(counts: Fields) -> Usage:
    """Titan: the text's tokens by result, in a stream in all; an embedding has no output."""
    if "totalOutputTextTokenCount" in counts:
        return _pair(counts, "inputTextTokenCount", "totalOutputTextTokenCount")
    faults: list[str] = []
    inp = count_in(counts, "inputTextTokenCount", faults)
    results = [count_in(row, "tokenCount", faults) for row in items(counts.get("results"))]
    out = sum(count or 0 for count in results) if results else None
    return Usage(inp, out, problem=joined(*faults))


def _pair(counts: Fields, inp: str, out: str) -> Usage:
    faults: list[str] = []
    return Usage(
        count_in(counts, inp, faults), count_in(counts, out, faults), problem=joined(*faults)
    )


def _counts(usage: Fields, names: _Names, faults: list[str]) -> Usage | None:
    """Counts with no total beside them; what was cached is outside of the input here too."""
    inp = count_in(usage, names.input, faults)
    out = count_in(usage, names.output, faults)
    read = _first(usage, names.read, faults)
    write = _first(usage, names.write, faults)
    if inp is None and out is None and not faults:
        return None
    whole = None if inp is None else inp + read + write
    return fitted(Usage(whole, out, read, write, problem=joined(*faults)))


def _whole(
    inp: int, out: int | None, total: int | None, read: int, write: int, faults: list[str]
) -> int:
    """The input with what was cached, but for what of that is in it already by the total."""
    cached = read + write
    if total is None:
        return inp + cached
    excess = total - inp - (out or 0)
    if excess == cached:
        return inp + cached
    if excess not in (0, read, write):
        faults.append("totalTokens is not the sum")
    elif inp >= cached - excess:
        return inp + excess
    return inp + cached


def _kept_1h(details: object, write: int, faults: list[str]) -> int:
    """Of what was written to the cache, that for one hour; the rest is for five minutes."""
    kept = kept_1h = 0
    for row in items(details):
        count = count_in(row, "inputTokens", faults) or 0
        kept += count
        kept_1h += count if row.get("ttl") == "1h" else 0
    if kept != write:
        faults.append("cacheDetails is not the sum of its parts")
    return kept_1h


def _first(usage: Fields, names: tuple[str, ...], faults: list[str]) -> int:
    counts = (count_in(usage, name, faults) for name in names)
    return next((count for count in counts if count is not None), 0)


def _one(value: object) -> object:
    """A header, which some clients have as a list."""
    many = cast(list[object], value) if isinstance(value, list) else [value]
    return many[0] if len(many) == 1 else None
