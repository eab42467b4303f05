"""`farthing price`: the APIs and the context of providers other than OpenAI and Anthropic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from farthing_processor.assessment import assess
from farthing_processor.attribution import NOBODY
from farthing_processor.pricing import rules
from farthing_processor.pricing.explain import main, read_call
from farthing_processor.recording import Entry, recorder
from farthing_processor.settings import Settings

NOVA = "us.amazon.nova-pro-v1:0"
QUERIES = "candidates[0].groundingMetadata.webSearchQueries"


def call(provider: str, api: str, model: str, usage: Any, **context: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "api": api,
        "model": model,
        "timestamp": "2026-11-20T12:00:00Z",
        "usage": usage,
        "context": context,
    }


def priced(recorded: dict[str, Any]) -> tuple[str | None, str]:
    code, out, err = main(json.dumps(recorded), as_json=True)
    assert (code, err) == (0, "")
    answer = json.loads(out)
    return answer["usd"], answer["status"]


def by(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": kind, "tokenCount": count} for kind, count in tokens.items()]


@pytest.mark.parametrize(
    ("provider", "api", "model", "usage", "operation", "usd"),
    [
        ("google", "embed_content", "gemini-embedding-001", {"promptTokenCount": 100}, "embeddings",
         "0.000015"),
        ("cohere", "v1.embed", "embed-v4.0", {"billed_units": {"input_tokens": 100.0}},
         "embeddings", "0.000012"),
        ("cohere", "v2.embed", "embed-v4.0", {"billed_units": {"input_tokens": 100.0}},
         "embeddings", "0.000012"),
        ("ollama", "embed", "nomic-embed-text", {"prompt_eval_count": 7}, "embeddings", None),
        ("cohere", "v1.rerank", "rerank-v3.5", {"billed_units": {"search_units": 3.0}}, "rerank",
         None),
        ("cohere", "v2.rerank", "rerank-v3.5", {"billed_units": {"search_units": 3.0}}, "rerank",
         None),
        ("mistral", "audio.transcriptions.complete", "voxtral-mini-latest",
         {"prompt_audio_seconds": 60, "prompt_tokens": 4, "completion_tokens": 7}, "transcription",
         "0.003"),
        ("openai", "realtime.transcription", "gpt-4o-transcribe",
         {"type": "tokens", "input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
         "transcription", "0.000075"),
    ],
)  # fmt: skip
def test_what_is_not_inference_needs_no_output(
    provider: str, api: str, model: str, usage: Any, operation: str, usd: str | None
) -> None:
    recorded = call(provider, api, model, usage)
    assert priced(recorded) == (usd, "priced" if usd else "unpriced")
    assert read_call(recorded).facts.operation == operation


def test_thoughts_of_gemini_behind_openais_api() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 100}
    recorded = call("google", "chat.completions", "gemini-2.5-flash", usage)
    assert priced(recorded) == ("0.000228", "priced")


@pytest.mark.parametrize(
    ("api", "model", "usage", "context", "usd"),
    [
        ("generate_content", "gemini-2.5-flash", {"promptTokenCount": 100, "totalTokenCount": 150,
         "candidatesTokenCount": 50}, {QUERIES: ["a", "b"]}, "0.035155"),
        ("generate_content", "gemini-3.8-flash", {"promptTokenCount": 100, "totalTokenCount": 150,
         "candidatesTokenCount": 50}, {QUERIES: ["a", "b", "a"]}, "0.0282625"),
        ("interactions", "gemini-2.5-flash", {"total_input_tokens": 100, "total_output_tokens": 50,
         "grounding_tool_count": [{"type": "google_search", "count": 3}]}, {}, "0.035155"),
    ],
)  # fmt: skip
def test_gemini_is_charged_for_search_by_its_version(
    api: str, model: str, usage: Any, context: dict[str, Any], usd: str
) -> None:
    assert priced(call("google", api, model, usage, **context)) == (usd, "priced")


@pytest.mark.parametrize(
    ("model", "usage", "usd", "status"),
    [
        ("gemini-embedding-2", {"promptTokenCount": 1000,
         "promptTokensDetails": by(VIDEO=900, TEXT=100), "candidatesTokenCount": 0},
         "0.01082", "priced"),
        ("gemini-omni-1.1-flash", {"promptTokenCount": 1000, "candidatesTokenCount": 600,
         "candidatesTokensDetails": by(VIDEO=500, TEXT=100)}, "0.01115", "priced"),
        ("gemini-2.5-flash", {"promptTokenCount": 1000, "candidatesTokenCount": 0,
         "promptTokensDetails": by(VIDEO=900, TEXT=100)}, "0.0003", "priced"),
        ("gemini-2.5-flash", {"promptTokenCount": 1000, "candidatesTokenCount": 500,
         "candidatesTokensDetails": by(VIDEO=500)}, "0.0003", "partial"),
        ("gemini-live-2.5-flash", {"promptTokenCount": 1000, "candidatesTokenCount": 0,
         "cachedContentTokenCount": 500, "promptTokensDetails": by(VIDEO=900, TEXT=100)},
         "0.00175", "partial"),
        ("gemini-2.5-flash", {"promptTokenCount": 10000, "candidatesTokenCount": 0,
         "cachedContentTokenCount": 8000, "cacheTokensDetails": by(VIDEO=8000),
         "promptTokensDetails": by(VIDEO=8000, AUDIO=1000, TEXT=1000)}, "0.00154", "priced"),
    ],
)  # fmt: skip
def test_video_has_a_rate_of_its_own_where_it_is_listed(
    model: str, usage: Any, usd: str, status: str
) -> None:
    assert priced(call("google", "generate_content", model, usage)) == (usd, status)


def test_video_costs_the_same_by_the_embeddings_api() -> None:
    usage = {"promptTokenCount": 1000, "promptTokenDetails": by(VIDEO=900, TEXT=100)}
    recorded = call("google", "embed_content", "gemini-embedding-2", usage)
    assert priced(recorded) == ("0.01082", "priced")


def test_tokens_of_video_are_not_counted_as_text() -> None:
    usage = {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 50,
        "promptTokensDetails": by(VIDEO=900, TEXT=60, AUDIO=40),
    }
    facts = read_call(call("google", "generate_content", "gemini-2.5-flash", usage)).facts
    reader = InMemoryMetricReader()
    made = recorder(Settings(semconv="latest"), MeterProvider([reader]))
    made.add(Entry(facts, NOBODY, assess(facts, NOBODY)))
    data = reader.get_metrics_data()
    assert data is not None
    [metric] = [
        metric
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "gen_ai.client.inference.usage.input_tokens"
    ]
    points = {
        point.attributes["gen_ai.token.modality"]: point.value for point in metric.data.data_points
    }
    assert points == {"text": 60, "audio": 40, "unknown": 900}


CONVERSED = {"inputTokens": 1000, "outputTokens": 200, "totalTokens": 1200}


@pytest.mark.parametrize(
    ("context", "status"),
    [
        ({"serviceTier.type": "default"}, "priced"),
        ({"serviceTier.type": "flex"}, "partial"),
        ({"performanceConfig.latency": "standard"}, "priced"),
        ({"performanceConfig.latency": "optimized"}, "partial"),
    ],
)
def test_how_bedrock_served_it(context: dict[str, Any], status: str) -> None:
    recorded = call("aws", "converse", NOVA, CONVERSED, **context)
    assert priced(recorded) == ("0.00144", status)


@pytest.mark.parametrize(
    ("more", "status"),
    [({}, "priced"), ({"X-Amzn-Bedrock-Service-Tier": "flex"}, "partial")],
)
def test_bedrocks_headers_have_the_counts(more: dict[str, Any], status: str) -> None:
    headers = {
        "X-Amzn-Bedrock-Input-Token-Count": "1000",
        "x-amzn-bedrock-output-token-count": ["200"],
    }
    recorded = call("aws", "invoke_model", NOVA, None, **{"response.headers": headers | more})
    assert priced(recorded) == ("0.00144", status)


def test_openais_models_on_bedrock_count_the_cache_twice() -> None:
    usage = {
        "inputTokens": 1000,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 400,
        "outputTokens": 10,
        "totalTokens": 1410,
    }
    read = read_call(call("aws", "converse_stream", "openai.gpt-oss-120b-1:0", usage)).usage
    assert read is not None
    assert (read.input_tokens, read.problem) == (1000, "cached tokens were counted twice")


@pytest.mark.parametrize(
    ("api", "provider", "model", "usage"),
    [
        ("chat.complete", "mistral", "mistral-large-2512",
         {"prompt_tokens": 801, "completion_tokens": 2}),
        ("realtime", "openai", "gpt-realtime",
         {"input_tokens": 801, "output_tokens": 2, "total_tokens": 803}),
        ("interactions", "google", "gemini-3.8-flash",
         {"total_input_tokens": 100, "total_output_tokens": 50}),
    ],
)  # fmt: skip
def test_the_tier_that_served_it_is_said(api: str, provider: str, model: str, usage: Any) -> None:
    recorded = call(provider, api, model, usage, **{"response.service_tier": "priority"})
    _, out, _ = main(json.dumps(recorded), as_json=True)
    answer = json.loads(out)
    assert (answer["status"], answer["problem"]) == ("partial", "no rate for service_tier priority")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Any]:
    def use(text: str) -> None:
        file = tmp_path / "own.toml"
        file.write_text(text)
        assert rules.use_file(str(file)) == ()

    yield use
    rules.use(None)


HOURLY = '[[rule]]\nprovider = "{}"\ngpu_hour = {{ price = "3.60" }}\n'


@pytest.mark.parametrize(
    ("usage", "context", "usd"),
    [
        ({"total_duration": 2_000_000_000}, {}, "0.002"),
        ({"total_duration": 2_000_000_000}, {"gen_ai.client.operation.duration": 3}, "0.003"),
        ({}, {"gen_ai.client.operation.duration": 0.5}, "0.0005"),
        ({"total_duration": "2"}, {}, None),
        ({"total_duration": -2}, {}, None),
        ({"total_duration": 10**40}, {}, None),
        ({}, {}, None),
    ],
)
def test_a_price_by_the_hour_needs_the_duration(
    own: Any, usage: dict[str, Any], context: dict[str, Any], usd: str | None
) -> None:
    own(HOURLY.format("ollama"))
    counts = {"prompt_eval_count": 26, "eval_count": 298}
    recorded = call("ollama", "chat", "llama3.1:8b", counts | usage, **context)
    assert priced(recorded) == (usd, "priced" if usd else "unpriced")


def test_only_ollama_says_its_duration(own: Any) -> None:
    own(HOURLY.format("openai"))
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_duration": 2_000_000_000}
    recorded = call("openai", "chat.completions", "gpt-5", usage)
    assert priced(recorded) == (None, "unpriced")


def test_search_units_of_cohere_cost_what_a_rule_says(own: Any) -> None:
    own('[[rule]]\nmodel = "rerank-*"\nrates = { input = 0, file_search = "2.00" }\n')
    usage = {"billed_units": {"search_units": 3.0}}
    assert priced(call("cohere", "v2.rerank", "rerank-v3.5", usage)) == ("0.006", "priced")
