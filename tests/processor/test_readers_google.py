"""Gemini's usage, from the Gemini API and from Vertex AI: read, and priced."""

from __future__ import annotations

import re
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from farthing_processor.pricing import price
from farthing_processor.readers import READERS
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
GENERATE = READERS["gcp.gemini", "generate_content"]


def generated(**usage: Any) -> Usage:
    read = GENERATE({"usageMetadata": usage})
    assert read is not None
    return read


def by(**modalities: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in modalities.items()]


def snake(value: Any) -> Any:
    """The same as the client has it: objects, with names in snake case."""
    if isinstance(value, list):
        return [snake(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub("([A-Z])", r"_\1", name).lower(): snake(each) for name, each in value.items()}
    return SimpleNamespace(**named)


WHOLE: dict[str, Any] = {
    "promptTokenCount": 10000,
    "cachedContentTokenCount": 5000,
    "toolUsePromptTokenCount": 300,
    "candidatesTokenCount": 500,
    "thoughtsTokenCount": 200,
    "totalTokenCount": 11000,
    "promptTokensDetails": by(TEXT=3000, AUDIO=6000, IMAGE=600, DOCUMENT=300, VIDEO=100),
    "cacheTokensDetails": by(TEXT=1700, AUDIO=3000, DOCUMENT=300),
    "toolUsePromptTokensDetails": by(TEXT=250, IMAGE=50),
    "candidatesTokensDetails": by(MODALITY_UNSPECIFIED=400, IMAGE=100),
    "trafficType": "ON_DEMAND",
}
READ = Usage(
    10300,
    700,
    5000,
    reasoning_tokens=200,
    input_audio_tokens=6000,
    input_image_tokens=950,
    cache_read_audio_tokens=3000,
    cache_read_image_tokens=300,
    output_image_tokens=100,
    input_video_tokens=100,
)


def test_every_count() -> None:
    assert generated(**WHOLE) == READ
    assert GENERATE(snake({"usageMetadata": WHOLE})) == READ
    assert GENERATE({"usage": WHOLE}) == READ


def test_the_client() -> None:
    types = import_module("google.genai.types")
    client = types.GenerateContentResponse.model_validate({"usageMetadata": WHOLE})
    assert GENERATE(client) == READ


@pytest.mark.parametrize(
    ("counts", "inp", "out", "problem"),
    [
        # prompt, tool use, candidates, thoughts, total
        ((26, 12504, 60, 43, 12633), 12530, 103, ""),
        ((26, 12504, 103, 43, 12633), 12530, 103, ""),
        ((12530, 12504, 60, 43, 12633), 12530, 103, ""),
        ((12530, 12504, 103, 43, 12633), 12530, 103, ""),
        ((26, 12504, 60, 43, 12634), 12530, 103, "totalTokenCount is not the sum"),
        ((26, 12504, 60, 43, 86), 12530, 103, "totalTokenCount is not the sum"),
        ((26, 12504, 60, 43, None), 12530, 103, ""),
        ((26, None, None, 43, 69), 26, 43, ""),
        ((26, None, None, None, 26), 26, 0, ""),
        ((26, None, None, None, None), 26, None, ""),
        ((26, None, 60, None, 86), 26, 60, ""),
    ],
)
def test_the_total_is_a_checksum(
    counts: tuple[int | None, ...], inp: int, out: int | None, problem: str
) -> None:
    prompt, tool, candidates, thoughts, total = counts
    read = generated(
        promptTokenCount=prompt,
        toolUsePromptTokenCount=tool,
        candidatesTokenCount=candidates,
        thoughtsTokenCount=thoughts,
        totalTokenCount=total,
    )
    assert (read.input_tokens, read.output_tokens, read.problem) == (inp, out, problem)
    assert read.reasoning_tokens == thoughts


@pytest.mark.parametrize(
    "details",
    [
        5,
        "AUDIO",
        {"modality": "AUDIO"},
        ["AUDIO", None, {}, {"modality": None, "tokenCount": 1}, {"modality": "AUDIO"}],
    ],
)
def test_details_that_are_none(details: Any) -> None:
    assert generated(
        promptTokenCount=9, candidatesTokenCount=1, promptTokensDetails=details
    ) == Usage(9, 1)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"trafficType": "ON_DEMAND"}, ""),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, ""),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput"),
        ({"serviceTier": "standard"}, ""),
        ({"serviceTier": "unspecified"}, ""),
        ({"serviceTier": "flex"}, "flex"),
        ({"serviceTier": "PRIORITY"}, "priority"),
        ({}, ""),
    ],
)
def test_served_tier(said: dict[str, str], tier: str) -> None:
    assert generated(promptTokenCount=1, candidatesTokenCount=1, **said) == Usage(1, 1, tier=tier)


def test_provisioned_throughput_is_not_sold_by_the_token() -> None:
    read = generated(
        promptTokenCount=1000, candidatesTokenCount=10, trafficType="PROVISIONED_THROUGHPUT"
    )
    priced = price(read, provider="gcp.vertex_ai", model="gemini-2.5-flash", at_ns=NOW)
    assert priced.status == "partial"
    assert priced.problem == "no rate for service_tier provisioned_throughput"


def grounded(model: str | None, **metadata: Any) -> dict[str, Any]:
    return {
        "modelVersion": model,
        "usageMetadata": {
            "promptTokenCount": 100,
            "candidatesTokenCount": 500,
            "totalTokenCount": 600,
        },
        "candidates": [{"content": {}}, {"groundingMetadata": metadata}],
    }


@pytest.mark.parametrize(
    ("model", "searches", "cost"),
    [
        # 100 x $0.75/M + 500 x $3.75/M + 3 x $14/k
        ("gemini-3.8-flash", 3, 0.04395),
        # 100 x $0.3/M + 500 x $2.5/M + $35/k
        ("gemini-2.5-flash", 1, 0.03628),
        ("models/gemini-2.0-flash", 1, None),
        (None, 3, None),
    ],
)
def test_search_is_billed_by_the_query_or_by_the_prompt(
    model: str | None, searches: int, cost: float | None
) -> None:
    body = grounded(model, webSearchQueries=["q1", "", "q2", "q1", "q3"])
    for each in (body, snake(body)):
        read = GENERATE(each)
        assert read == Usage(100, 500, web_searches=searches)
    if cost is not None:
        assert read is not None
        priced = price(read, provider="gcp.gemini", model=model, at_ns=NOW)
        assert (priced.status, priced.usd) == ("priced", cost)


def test_grounding_without_a_search_is_free() -> None:
    assert GENERATE(grounded("gemini-2.5-flash", webSearchQueries=[])) == Usage(100, 500)


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({"groundingChunks": [{"web": {}}, {"maps": {"uri": "u"}}]}, "grounding with Google Maps"),
        ({"retrievalQueries": ["q"]}, "grounding with own data"),
        ({"imageSearchQueries": ["q"]}, "grounding with image search"),
    ],
)
def test_other_grounding_has_no_known_price(metadata: dict[str, Any], what: str) -> None:
    read = GENERATE(grounded("gemini-3.8-flash", **metadata))
    assert read is not None
    priced = price(read, provider="gcp.gemini", model="gemini-3.8-flash", at_ns=NOW)
    assert (priced.status, priced.problem) == ("partial", f"no price for {what}")
    assert priced.usd == 0.00195


def test_a_live_turn() -> None:
    usage = {
        "promptTokenCount": 300,
        "responseTokenCount": 100,
        "totalTokenCount": 400,
        "promptTokensDetails": by(AUDIO=250, TEXT=50),
        "responseTokensDetails": by(AUDIO=90, TEXT=10),
    }
    expected = Usage(300, 100, input_audio_tokens=250, output_audio_tokens=90)
    live = READERS["gcp.gemini", "live"]
    assert live({"usageMetadata": usage}) == live(snake({"usageMetadata": usage})) == expected
    assert live({"serverContent": {}}) is None


def interaction(model: str = "gemini-3.8-flash", **usage: Any) -> dict[str, Any]:
    return {"id": "v1_x", "model": model, "service_tier": "standard", "usage": usage}


def test_an_interaction() -> None:
    body = interaction(
        total_tokens=1100,
        total_input_tokens=500,
        input_tokens_by_modality=[
            {"modality": "text", "tokens": 300},
            {"modality": "audio", "tokens": 200},
        ],
        total_cached_tokens=100,
        cached_tokens_by_modality=[{"modality": "audio", "tokens": 40}],
        total_tool_use_tokens=50,
        total_output_tokens=150,
        output_tokens_by_modality=[{"modality": "image", "tokens": 120}],
        total_thought_tokens=400,
        grounding_tool_count=[
            {"type": "google_search", "count": 2},
            {"type": "google_maps", "count": 0},
        ],
    )
    expected = Usage(
        550,
        550,
        100,
        reasoning_tokens=400,
        input_audio_tokens=200,
        cache_read_audio_tokens=40,
        output_image_tokens=120,
        web_searches=2,
    )
    read = READERS["gcp.gemini", "interactions"]
    assert read(body) == expected
    event = {"event_type": "interaction.completed", "interaction": body}
    assert read(event) == expected
    assert read({**body, "service_tier": "flex"}) == expected._replace(tier="flex")
    assert read({**body, "model": "gemini-2.5-flash"}) == expected._replace(web_searches=1)
    assert read({"id": "v1_x", "status": "in_progress"}) is None


def test_an_interaction_with_maps_is_partial() -> None:
    usage = {"total_input_tokens": 5, "total_output_tokens": 5, "total_tokens": 10}
    count = [{"type": "google_maps", "count": 1}]
    read = READERS["gcp.gemini", "interactions"](interaction(**usage, grounding_tool_count=count))
    assert read is not None
    priced = price(read, provider="gcp.gemini", model="gemini-3.8-flash", at_ns=NOW)
    assert priced.problem == "no price for grounding with Google Maps"


@pytest.mark.parametrize(
    "body",
    [
        {"usageMetadata": {"promptTokenCount": 9, "promptTokenDetails": by(TEXT=9)}},
        {"embeddings": [{"statistics": {"tokenCount": 4.0}}, {"statistics": {"tokenCount": 5}}]},
        {"predictions": [{"embeddings": {"statistics": {"token_count": 9, "truncated": False}}}]},
    ],
)
def test_embeddings(body: dict[str, Any]) -> None:
    read = READERS["gcp.gemini", "embed_content"]
    assert read(body) == read(snake(body)) == Usage(9)


def test_embedding_of_other_things_than_text() -> None:
    usage = {"promptTokenCount": 900, "promptTokenDetails": by(IMAGE=500, AUDIO=400)}
    read = READERS["gcp.gemini", "embed_content"]({"usageMetadata": usage})
    assert read == Usage(900, input_audio_tokens=400, input_image_tokens=500)


def test_embeddings_without_statistics() -> None:
    read = READERS["gcp.gemini", "embed_content"]
    assert read({"embeddings": [{"values": [0.1, 0.2]}]}) is None
    invalid = read({"embeddings": [{"statistics": {"tokenCount": 1.5}}]})
    assert invalid == Usage(problem="invalid tokenCount")
