"""Bedrock's usage, by Converse and by the bodies of each vendor: read, and priced."""

from __future__ import annotations

from typing import Any

import pytest

from farthing_processor.pricing import price
from farthing_processor.readers import READERS, bedrock_converse, bedrock_invoke
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
CONVERSE = READERS["aws.bedrock", "converse"]
INVOKE = READERS["aws.bedrock", "invoke_model"]
HEADERS = {
    "X-Amzn-Bedrock-Input-Token-Count": "100",
    "X-Amzn-Bedrock-Output-Token-Count": ["500"],
    "x-amzn-bedrock-cache-read-input-token-count": "20000",
    "x-amzn-bedrock-cache-write-input-token-count": "4000",
}


def conversed(**usage: Any) -> Usage:
    read = CONVERSE({"usage": usage})
    assert read is not None
    return read


def test_converse() -> None:
    body = {
        "output": {"message": {}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 100,
            "outputTokens": 500,
            "totalTokens": 24600,
            "cacheReadInputTokens": 20000,
            "cacheWriteInputTokens": 4000,
            "cacheDetails": [
                {"ttl": "1h", "inputTokens": 3000},
                {"ttl": "5m", "inputTokens": 1000},
            ],
        },
        "serviceTier": {"type": "default"},
        "performanceConfig": {"latency": "standard"},
    }
    expected = Usage(24100, 500, 20000, 4000, 3000)
    assert CONVERSE(body) == expected
    assert READERS["aws.bedrock", "converse_stream"]({"metadata": body}) == expected
    assert CONVERSE({**body, "serviceTier": {"type": "flex"}}) == expected._replace(tier="flex")


def test_the_same_call_of_claude_costs_the_same_by_either_path() -> None:
    converse = conversed(
        inputTokens=12,
        outputTokens=50,
        totalTokens=1062,
        cacheReadInputTokens=700,
        cacheWriteInputTokens=300,
        cacheDetails=[{"ttl": "1h", "inputTokens": 40}, {"ttl": "5m", "inputTokens": 260}],
    )
    body = {
        "type": "message",
        "usage": {
            "input_tokens": 12,
            "output_tokens": 50,
            "cache_read_input_tokens": 700,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 260, "ephemeral_1h_input_tokens": 40},
        },
    }
    assert converse == INVOKE(body) == READERS["anthropic", "messages"](body)
    assert converse == Usage(1012, 50, 700, 300, 40)


@pytest.mark.parametrize(
    ("counts", "inp", "problem"),
    [
        # in, out, read, write, total
        ((100, 50, 700, 200, 1050), 1000, ""),
        ((1000, 50, 700, 200, 1050), 1000, ""),
        ((300, 50, 700, 200, 1050), 1000, ""),  # writes are inside
        ((800, 50, 700, 200, 1050), 1000, ""),  # reads are inside
        ((100, 50, 700, 200, 1051), 1000, "totalTokens is not the sum"),
        ((100, 50, 700, 200, None), 1000, ""),
        # What was cached cannot be inside of less.
        ((100, 50, 700, 200, 150), 1000, ""),
        ((100, 50, 0, 0, 150), 100, ""),
        ((100, 50, None, None, 999), 100, "totalTokens is not the sum"),
        ((None, 50, 700, 200, 950), 900, "parts of the input without the input"),
    ],
)
def test_the_total_is_a_checksum(
    counts: tuple[int | None, ...], inp: int | None, problem: str
) -> None:
    names = "inputTokens outputTokens cacheReadInputTokens cacheWriteInputTokens totalTokens"
    read = conversed(**dict(zip(names.split(), counts, strict=True)))
    assert (read.input_tokens, read.problem) == (inp, problem)


def test_openais_models_count_twice_in_a_stream() -> None:
    # The numbers of maximhq/bifrost#6942, whose answer without a stream said inputTokens 2.
    usage = {
        "inputTokens": 4995,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 4993,
        "outputTokens": 19,
        "totalTokens": 10007,
    }
    event = {"metadata": {"usage": usage}}
    once = Usage(4995, 19, 0, 4993)
    mended = bedrock_converse(event, model="openai.gpt-5.6")
    assert mended == once._replace(problem="cached tokens were counted twice")
    # Anyone else's are what they say.
    assert bedrock_converse(event, model="us.anthropic.claude-sonnet-4-6") == Usage(
        9988, 19, 0, 4993
    )
    usage |= {"inputTokens": 2, "totalTokens": 5014}
    assert bedrock_converse(event, model="openai.gpt-5.6") == once


def test_cache_details_that_are_not_all() -> None:
    read = conversed(
        inputTokens=1,
        outputTokens=1,
        cacheWriteInputTokens=500,
        cacheDetails=[{"ttl": "1h", "inputTokens": 100}, "nonsense", {"inputTokens": 50}],
    )
    assert read.problem == "cacheDetails is not the sum of its parts"
    assert (read.cache_write_tokens, read.cache_write_1h_tokens) == (500, 100)


def test_what_is_served_otherwise_is_not_priced_as_if_it_were_not() -> None:
    usage = {"inputTokens": 1000, "outputTokens": 200, "totalTokens": 1200}
    for said, problem in (
        ({"serviceTier": {"type": "priority"}}, "no rate for service_tier priority"),
        ({"performanceConfig": {"latency": "optimized"}}, "no rate for speed optimized"),
        ({"usage": {**usage, "serverToolUsage": {"x": 1}}}, "no price for server tools"),
    ):
        read = CONVERSE({"usage": usage, **said})
        assert read is not None
        priced = price(read, provider="aws.bedrock", model="us.amazon.nova-pro-v1:0", at_ns=NOW)
        assert (priced.status, priced.problem) == ("partial", problem)
        assert priced.usd == 0.00144


@pytest.mark.parametrize(
    ("vendor", "body", "expected"),
    [
        ("Anthropic", {"usage": {"input_tokens": 5, "output_tokens": 7}}, Usage(5, 7)),
        (
            "Nova",
            {
                "usage": {
                    "inputTokens": 4,
                    "outputTokens": 10,
                    "totalTokens": 2715,
                    "cacheReadInputTokenCount": 2701,
                    "cacheWriteInputTokenCount": 0,
                }
            },
            Usage(2705, 10, 2701),
        ),
        (
            "Titan",
            {"inputTextTokenCount": 5, "results": [{"tokenCount": 4}, {"tokenCount": 6}]},
            Usage(5, 10),
        ),
        (
            "Titan, streamed",
            {"inputTextTokenCount": 5, "totalOutputTextTokenCount": 10, "index": 0},
            Usage(5, 10),
        ),
        ("Titan, embeddings", {"embedding": [0.5], "inputTextTokenCount": 5}, Usage(5)),
        (
            "Llama",
            {"generation": "Hi", "prompt_token_count": 5, "generation_token_count": 10},
            Usage(5, 10),
        ),
        (
            "Mistral, AI21 and DeepSeek by chat",
            {"usage": {"prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15}},
            Usage(5, 10),
        ),
        (
            "Cohere, where it counts",
            {"meta": {"billed_units": {"input_tokens": 5.0, "output_tokens": 10.0}}},
            Usage(5, 10),
        ),
    ],
)
def test_invoke_by_vendor(vendor: str, body: dict[str, Any], expected: Usage) -> None:
    assert INVOKE(body) == expected, vendor
    # What the body says is more than headers say.
    assert bedrock_invoke(body, HEADERS) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"generations": [{"text": "Hi"}], "prompt": "Hello"},  # Cohere
        {"outputs": [{"text": "Hi", "stop_reason": "stop"}]},  # Mistral
        {"choices": [{"text": "Hi", "stop_reason": "stop"}]},  # DeepSeek
        None,
    ],
)
def test_headers_are_the_fallback(body: object) -> None:
    assert INVOKE(body) is None
    assert bedrock_invoke(body, HEADERS) == Usage(24100, 500, 20000, 4000)
    assert bedrock_invoke(body, {"Content-Type": "application/json"}) is None
    assert bedrock_invoke(body, {"X-Amzn-Bedrock-Input-Token-Count": "-1"}) == Usage(
        problem="invalid x-amzn-bedrock-input-token-count"
    )


def test_the_metrics_that_end_a_stream() -> None:
    metrics = {
        "inputTokenCount": 100,
        "outputTokenCount": 500,
        "invocationLatency": 1234,
        "firstByteLatency": 200,
        "cacheReadInputTokenCount": 20000,
        "cacheWriteInputTokenCount": 4000,
    }
    event = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    assert INVOKE(event) == Usage(24100, 500, 20000, 4000)


def test_the_tier_is_in_a_header() -> None:
    body = {"usage": {"input_tokens": 5, "output_tokens": 7}}
    headers = {
        "x-amzn-bedrock-service-tier": "flex",
        "X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized",
    }
    assert bedrock_invoke(body, headers) == Usage(5, 7, tier="flex", speed="optimized")
    headers = dict.fromkeys(headers, "standard") | {"x-amzn-bedrock-service-tier": "default"}
    assert bedrock_invoke(body, headers) == Usage(5, 7)
