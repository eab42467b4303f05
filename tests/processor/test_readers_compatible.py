"""Hosts that speak OpenAI's language and add to it: read, and priced."""

from __future__ import annotations

import decimal
import json
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from typing import Any

import openai.types.chat
import openai.types.realtime
import openai.types.responses
import pytest

from farthing_processor.pricing import price
from farthing_processor.readers import READERS
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
CHAT = READERS["openai", "chat.completions"]
RESPONSES = READERS["openai", "responses"]


def chat(**usage: Any) -> Usage:
    read = CHAT({"usage": usage})
    assert read is not None
    return read


TOKENS: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}


@pytest.mark.parametrize(
    ("cost", "exact"),
    [
        (0.0123, "0.0123"),
        (1.5e-07, "0.00000015"),
        (0, "0"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("0.0123", "0.0123"),
        (Decimal("0.01230"), "0.0123"),
    ],
)
def test_a_reported_cost_is_what_json_said(cost: Any, exact: str) -> None:
    read = chat(**TOKENS, cost=cost, is_byok=False, cost_details={"upstream_inference_cost": 9})
    assert read._replace(reported_cost=None) == Usage(1000, 50)
    priced = price(read, provider="openrouter", model="nobody/knows", at_ns=NOW)
    assert (priced.status, f"{priced.exact():f}") == ("reported", exact)


def test_with_the_callers_own_key_the_upstream_cost_is_on_top() -> None:
    details = {"upstream_inference_cost": 0.1}
    read = chat(**TOKENS, cost=0.2, is_byok=True, cost_details=details)
    assert read.reported_cost == Decimal("0.3")
    for details in (None, {}, {"upstream_inference_cost": None}):
        read = chat(**TOKENS, cost=0.2, is_byok=True, cost_details=details)
        assert (read.reported_cost, read.problem) == (None, "the cost upstream is not reported")


def test_the_applications_decimal_context_changes_no_cost() -> None:
    usage = {**TOKENS, "cost": 0.123456789, "is_byok": True}
    usage["cost_details"] = {"upstream_inference_cost": 0.987654321}
    with decimal.localcontext(decimal.Context(prec=2, traps=[])):
        assert chat(**usage).reported_cost == Decimal("1.11111111")
        assert chat(**TOKENS, cost_in_usd_ticks=37756001).reported_cost == Decimal("0.0037756001")


@pytest.mark.parametrize(
    "cost",
    [-1, True, "free", float("nan"), float("inf"), 1e300, [], pytest.param(10**5000, id="huge")],
)
def test_a_cost_that_is_none(cost: Any) -> None:
    read = chat(**TOKENS, cost=cost)
    assert read.reported_cost is None
    assert read.problem == ("invalid cost" if cost != [] else "")


def test_costs_in_other_shapes() -> None:
    # docs.x.ai: "1 USD = 10,000,000,000 ticks", and 37756000 of them are $0.0038.
    assert chat(**TOKENS, cost_in_usd_ticks=37756000).reported_cost == Decimal("0.0037756")
    assert chat(**TOKENS, cost_in_usd_ticks=-1).problem == "invalid cost_in_usd_ticks"
    bill = {"input_tokens_cost": 0.0, "output_tokens_cost": 0.001, "total_cost": 0.006}
    assert chat(**TOKENS, cost=bill).reported_cost == Decimal("0.006")
    assert chat(**TOKENS, cost={**bill, "currency": "USD"}).reported_cost == Decimal("0.006")
    euros = chat(**TOKENS, cost={**bill, "currency": "EUR"})
    assert (euros.reported_cost, euros.problem) == (None, "cost is not in USD")
    read = RESPONSES({"usage": {"input_tokens": 5, "output_tokens": 2, "cost_in_usd_ticks": 10**9}})
    assert read == Usage(5, 2, reported_cost=Decimal("0.1"))
    images = READERS["x_ai", "images"]({"usage": {"cost_in_usd_ticks": 200000000}, "data": [{}]})
    assert images is not None
    assert images.reported_cost == Decimal("0.02")


def test_a_gateway_that_speaks_anthropics_language_reports_its_cost_too() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "cost": 0.25, "is_byok": False}
    read = READERS["openrouter", "messages"]({"usage": usage})
    assert read == Usage(5, 2, reported_cost=Decimal("0.25"))


def test_what_perplexity_and_xai_bill_beside_tokens_makes_a_call_partial() -> None:
    usage = {**TOKENS, "num_search_queries": 48, "citation_tokens": 10175, "num_sources_used": 0}
    priced = price(chat(**usage), provider="perplexity", model="sonar-pro", at_ns=NOW)
    assert priced.status == "partial"
    assert "no price for search queries; no price for citation tokens" in priced.problem
    reported = chat(**usage, cost={"total_cost": 0.25})
    assert price(reported, provider="perplexity", model="sonar-pro", at_ns=NOW).status == "reported"


def test_deepseek_says_what_hit_the_cache_in_two_ways() -> None:
    hits = {"prompt_cache_hit_tokens": 800, "prompt_cache_miss_tokens": 200}
    assert chat(**TOKENS, **hits) == Usage(1000, 50, 800)
    both = chat(**TOKENS, **hits, prompt_tokens_details={"cached_tokens": 800})
    assert both == Usage(1000, 50, 800)
    hits["prompt_cache_miss_tokens"] = 100
    assert chat(**TOKENS, **hits).problem == "prompt_tokens is not the sum of hits and misses"


@pytest.mark.parametrize("name", ["cached_tokens", "cache_read_input_tokens"])
def test_cached_tokens_outside_the_details(name: str) -> None:
    assert chat(**TOKENS, **{name: 700}) == Usage(1000, 50, 700)
    assert chat(**TOKENS, **{name: 700}, prompt_tokens_details={"cached_tokens": 600}) == Usage(
        1000, 50, 600
    )


def test_claude_behind_litellm_costs_what_it_does_in_front() -> None:
    behind = chat(
        prompt_tokens=1000,
        completion_tokens=50,
        total_tokens=1050,
        prompt_tokens_details={
            "cached_tokens": 700,
            "cache_creation_tokens": 100,
            "cache_creation_token_details": {
                "ephemeral_5m_input_tokens": 60,
                "ephemeral_1h_input_tokens": 40,
            },
        },
        cache_creation_input_tokens=100,
        cache_read_input_tokens=700,
    )
    front = READERS["anthropic", "messages"](
        {
            "usage": {
                "input_tokens": 200,
                "cache_read_input_tokens": 700,
                "cache_creation_input_tokens": 100,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 60,
                    "ephemeral_1h_input_tokens": 40,
                },
                "output_tokens": 50,
            }
        }
    )
    assert behind == front == Usage(1000, 50, 700, 100, 40)


def test_groq_ends_its_stream_with_usage_of_its_own() -> None:
    usage = {
        **TOKENS,
        "prompt_tokens_details": {"cached_tokens": 512},
        "queue_time": 0.05,
        "total_time": 0.2,
    }
    chunk = {"id": "x", "choices": [], "x_groq": {"id": "req_1", "usage": usage}}
    assert CHAT(chunk) == Usage(1000, 50, 512)
    assert CHAT({**chunk, "usage": usage}) == Usage(1000, 50, 512)
    assert CHAT({"choices": [], "x_groq": {"id": "req_1"}}) is None
    read = openai.types.chat.ChatCompletionChunk.construct(**chunk)
    assert CHAT(read) == Usage(1000, 50, 512)


def test_mistral_bills_audio_by_the_second() -> None:
    # The example of docs.mistral.ai: the audio's 2625 tokens are in the total alone.
    usage = {
        "prompt_audio_seconds": 203,
        "prompt_tokens": 4,
        "completion_tokens": 635,
        "total_tokens": 3264,
    }
    assert chat(**usage) == Usage(4, 635, input_audio_seconds=Decimal(203))
    priced = price(chat(**usage), provider="mistral_ai", model="voxtral-small-latest", at_ns=NOW)
    # 4 x $0.1/M + 635 x $0.4/M + 203 s x $0.24/h
    assert (priced.status, priced.usd) == (
        "priced",
        float(Fraction(2544 + 135333, 10**7) + Fraction(1, 3 * 10**7)),
    )
    heard = READERS["mistral_ai", "audio.transcriptions.complete"]({"usage": usage})
    assert heard == Usage(input_audio_seconds=Decimal(203))


def test_mistrals_served_tier() -> None:
    assert chat(**TOKENS, service_tier="priority").tier == "priority"
    assert chat(**TOKENS, service_tier="standard", prompt_audio_seconds=None) == Usage(1000, 50)


@pytest.mark.parametrize(
    ("model", "out", "reasoning", "problem"),
    [
        ("gemini-2.5-flash", 996, 572, ""),
        ("google/gemini-2.5-flash", 996, 572, ""),
        ("gpt-5", 424, None, "total_tokens is not the sum"),
        (None, 424, None, "total_tokens is not the sum"),
    ],
)
def test_thoughts_that_only_the_total_has(
    model: str | None, out: int, reasoning: int | None, problem: str
) -> None:
    # The numbers of Clarifai/clarifai-python#978.
    usage = {"prompt_tokens": 20, "completion_tokens": 424, "total_tokens": 1016}
    read = CHAT({"model": model, "usage": usage})
    assert read == Usage(20, out, reasoning_tokens=reasoning, problem=problem)


def test_thoughts_and_no_answer() -> None:
    usage = {"prompt_tokens": 21, "total_tokens": 81}
    read = CHAT({"model": "gemini-2.5-pro", "usage": usage})
    assert read == Usage(21, 60, reasoning_tokens=60)


def test_xai_counts_reasoning_outside() -> None:
    read = chat(
        prompt_tokens=32,
        completion_tokens=9,
        total_tokens=135,
        prompt_tokens_details={"text_tokens": 32, "cached_tokens": 6},
        completion_tokens_details={"reasoning_tokens": 94},
    )
    assert read == Usage(32, 103, 6, reasoning_tokens=94)


REALTIME = {
    "input_tokens": 1000,
    "input_token_details": {
        "text_tokens": 300,
        "audio_tokens": 600,
        "image_tokens": 100,
        "cached_tokens": 500,
        "cached_tokens_details": {"text_tokens": 150, "audio_tokens": 300, "image_tokens": 50},
    },
    "output_tokens": 200,
    "output_token_details": {"text_tokens": 50, "audio_tokens": 150},
    "total_tokens": 1200,
}


def test_a_realtime_turn() -> None:
    expected = Usage(
        1000,
        200,
        500,
        input_audio_tokens=600,
        input_image_tokens=100,
        cache_read_audio_tokens=300,
        cache_read_image_tokens=50,
        output_audio_tokens=150,
    )
    read = READERS["openai", "realtime"]
    event = {"type": "response.done", "event_id": "e", "response": {"id": "r", "usage": REALTIME}}
    assert read(event) == read(event["response"]) == expected
    assert read(openai.types.realtime.ResponseDoneEvent.construct(**event)) == expected
    assert read({"type": "response.created", "response": {"id": "r", "usage": None}}) is None
    priced = price(expected, provider="openai", model="gpt-4o-realtime-preview", at_ns=NOW)
    # Text 150 x $5/M + audio 300 x $40/M + image 50 x $5/M; cached: text 150 and image 50 x
    # $2.5/M, audio 300 x $2.5/M; out: text 50 x $20/M, audio 150 x $80/M
    assert (priced.status, priced.usd) == ("priced", 0.02725)


def test_what_hears_a_realtime_user_is_another_model() -> None:
    event = {
        "type": "conversation.item.input_audio_transcription.completed",
        "usage": {
            "type": "tokens",
            "input_tokens": 22,
            "input_token_details": {"audio_tokens": 13, "text_tokens": 9},
            "output_tokens": 5,
            "total_tokens": 27,
        },
    }
    assert READERS["openai", "realtime.transcription"](event) == Usage(22, 5, input_audio_tokens=13)


def test_client_objects_with_members_that_the_client_does_not_know() -> None:
    usage = {**TOKENS, "cost": 0.25, "is_byok": False, "prompt_cache_hit_tokens": 800}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    read = openai.types.chat.ChatCompletion.model_validate({**body, "usage": usage})
    assert CHAT(read) == Usage(1000, 50, 800, reported_cost=Decimal("0.25"))


def test_mistrals_client() -> None:
    models = import_module("mistralai.client.models")
    usage = {**TOKENS, "prompt_tokens_details": {"cached_tokens": 768}}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    for given in (usage, json.loads(json.dumps(usage))):
        read = models.ChatCompletionResponse.model_validate({**body, "usage": given})
        assert READERS["mistral_ai", "chat.complete"](read) == Usage(1000, 50, 768)


def test_groqs_client() -> None:
    chat_types = import_module("groq.types.chat")
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    body["usage"] = {**TOKENS, "prompt_tokens_details": {"cached_tokens": 768}, "total_time": 0.1}
    read = chat_types.ChatCompletion.model_validate(body)
    assert READERS["groq", "chat.completions"](read) == Usage(1000, 50, 768)
