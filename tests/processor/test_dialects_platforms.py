"""The dialects of platforms, frameworks and other languages: their own spans, priced to the ledger.

The samples say what each call cost: ``tests/spans`` was made by the real packages against the
simulator, ``tests/spans/documented`` (by the packages where its ``source`` says run, else by hand
after the documentation) has its costs from genai-prices.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing_processor.assessment import Assessment, assess
from farthing_processor.attribution import NOBODY
from farthing_processor.dialects import Reading, Seen, choose, read
from farthing_processor.dialects.claude_code import CLAUDE_CODE
from farthing_processor.dialects.dialect import Dialect
from farthing_processor.dialects.embedded import MAX_OBJECT, json_in, printed_in
from farthing_processor.dialects.google_adk import GOOGLE_ADK
from farthing_processor.dialects.langfuse import LANGFUSE
from farthing_processor.dialects.langsmith import LANGSMITH
from farthing_processor.dialects.litellm import LITELLM
from farthing_processor.dialects.model_ids import provider_of_id
from farthing_processor.dialects.spring_ai import SPRING_AI
from farthing_processor.dialects.strands import STRANDS
from farthing_processor.dialects.vercel import VERCEL, VERCEL_OTEL
from farthing_processor.readers import (
    anthropic_messages,
    bedrock_converse,
    gemini_generate_content,
    openai_chat,
    openai_responses,
)
from farthing_processor.usage import Usage

SPANS = Path(__file__).parent.parent / "spans"
AT = 1_790_812_800 * 10**9  # 2026-10-01
GATEWAYS = frozenset({"127.0.0.1:8000"})

RUN = ("langsmith", "litellm", "litellm-v2", "litellm-v2-openinference", "litellm-v2-langfuse")
DOCUMENTED = ("vercel", "google_adk", "claude_code", "spring_ai")
UNNAMED = {"langfuse": SPANS, "strands": SPANS / "documented"}
"""Emitters that do not say who served a call."""

DIALECTS = {
    "langfuse": LANGFUSE,
    "langsmith": LANGSMITH,
    "litellm": LITELLM,
    "vercel": VERCEL,
    "vercel otel": VERCEL_OTEL,
    "spring_ai": SPRING_AI,
    "strands": STRANDS,
    "google_adk": GOOGLE_ADK,
    "claude_code": CLAUDE_CODE,
}

FIVE_MINUTES, NOT_CACHED = "cache_write_5m", "not_cached"
LOST = {
    # What Anthropic cached for an hour is only told by its own usage object.
    ("litellm-v2", "message cache write 1h"): FIVE_MINUTES,
    ("litellm-v2-openinference", "message cache write 1h"): FIVE_MINUTES,
    ("litellm-v2-langfuse", "message cache write 1h"): FIVE_MINUTES,
    ("vercel", "ai 4 anthropic"): FIVE_MINUTES,
    ("vercel", "ai 4 anthropic stream"): FIVE_MINUTES,
    ("vercel", "ai 6 private anthropic"): FIVE_MINUTES,
    ("vercel", "ai 6 private anthropic stream"): FIVE_MINUTES,
    ("vercel", "ai 7 @ai-sdk/otel anthropic"): FIVE_MINUTES,
    ("vercel", "ai 7 @ai-sdk/otel anthropic stream"): FIVE_MINUTES,
    ("vercel", "ai 7 legacy anthropic"): FIVE_MINUTES,
    ("vercel", "ai 7 legacy anthropic stream"): FIVE_MINUTES,
    ("claude_code", "cache write for an hour"): FIVE_MINUTES,
    # The cache is nowhere on the span; of ai 4 neither are Gemini's thoughts, of ai 5 neither is
    # the input that Bedrock read from it.
    ("vercel", "ai 4 google"): NOT_CACHED,
    ("vercel", "ai 5 chat"): NOT_CACHED,
    ("vercel", "ai 5 responses"): NOT_CACHED,
    ("vercel", "ai 5 bedrock"): NOT_CACHED,
    ("google_adk", "adk 1.27.0 call without content"): NOT_CACHED,
}
"""(emitter, call) → what had to be assumed of it, wrongly: its cost is not the ledger's."""


class Call(NamedTuple):
    emitter: str
    name: str
    ledger: dict[str, Any]
    spans: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.emitter}: {self.name}"


@cache
def sample(emitter: str) -> tuple[Call, ...]:
    folder = SPANS if emitter in RUN else SPANS / "documented"
    path = UNNAMED.get(emitter, folder) / f"{emitter}.json"
    calls = json.loads(path.read_text())["calls"]
    return tuple(
        Call(emitter, call["call"], entry, call["spans"])
        for call in calls
        if call["spans"]
        for entry in call["ledger"]
    )


def reading(span: dict[str, Any], **more: Any) -> Reading | None:
    attributes = span["attributes"] | more
    scope = span["scope"]
    dialect = choose(scope["name"], attributes)
    failed = span.get("status") == "ERROR"
    seen = Seen(attributes, scope["name"], scope["version"] or "", AT, AT + 10**9, failed)
    return read(dialect, seen, GATEWAYS) if dialect else None


def readings(call: Call, **more: Any) -> list[Reading]:
    return [found for span in call.spans if (found := reading(span, **more)) is not None]


def of(attributes: dict[str, Any], scope: str, version: str = "") -> Reading | None:
    return reading({"scope": {"name": scope, "version": version}, "attributes": attributes})


def priced(found: Reading) -> Assessment:
    return assess(found.facts, NOBODY)


def provided(usage: dict[str, Any]) -> Usage:
    """What the provider's own object says."""
    if "promptTokenCount" in usage:
        found = gemini_generate_content({"usageMetadata": usage})
    elif "inputTokens" in usage:
        found = bedrock_converse({"usage": usage})
    elif "prompt_tokens" in usage:
        found = openai_chat({"usage": usage})
    elif "cache_creation_input_tokens" in usage:
        found = anthropic_messages({"usage": usage})
    else:
        found = openai_responses({"usage": usage})
    assert found is not None
    return found


def counted(usage: Usage) -> tuple[int, ...]:
    """What is billed; that an embedding has no output is not always said."""
    return (
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
    )


def paid(emitters: tuple[str, ...]) -> Iterator[Call]:
    """The calls that were paid, and whose emitter counted anything."""
    for emitter in emitters:
        for call in sample(emitter):
            uncounted = "without usage" in call.name or "abandoned" in call.name
            if call.ledger["usage"] and not uncounted:
                yield call


EXACT = [call for call in paid((*RUN, *DOCUMENTED)) if (call.emitter, call.name) not in LOST]


@pytest.mark.parametrize("call", EXACT, ids=str)
def test_a_call_costs_what_the_ledger_says(call: Call) -> None:
    found = readings(call)
    assert found
    operation = "generate_content" if call.emitter == "google_adk" else "chat"
    if "embedding" in call.ledger["model"]:
        operation = "embeddings"
    for one in found:
        facts = one.facts
        assert facts.usage is not None
        assert counted(facts.usage) == counted(provided(call.ledger["usage"]))
        assert facts.usage.problem == ""
        assert facts.operation == operation
        assert priced(one).cost == float(call.ledger["cost"])
        assert priced(one).status == "priced"
        answered = call.ledger["model"]
        assert answered.startswith(facts.response_model or facts.request_model or "?")
        made_up = call.emitter.startswith("litellm") and call.ledger["api"] == "messages"
        if call.ledger["response_id"] and not made_up:
            assert facts.response_id == call.ledger["response_id"]


@pytest.mark.parametrize("call", EXACT, ids=str)
def test_a_call_is_served_by_whom_the_span_names(call: Call) -> None:
    served = call.ledger.get("provider") or (
        "anthropic" if call.ledger["api"] == "messages" else "openai"
    )
    for one in readings(call):
        if call.emitter == "google_adk" and served == "gcp.gemini":
            # `call_llm` does not tell the two; they have the same prices.
            assert one.facts.provider in ("gcp.gemini", "gcp.vertex_ai")
        else:
            assert one.facts.provider == served


@pytest.mark.parametrize("call", EXACT, ids=str)
def test_what_encloses_a_call_is_none(call: Call) -> None:
    twice = call.name.startswith("adk 2.13.0 schema 1")  # both are whole: a duplicate, later
    assert len(readings(call)) == 1 + twice


@pytest.mark.parametrize(
    "call", [c for c in paid((*RUN, *DOCUMENTED)) if (c.emitter, c.name) in LOST], ids=str
)
def test_what_a_span_leaves_out_is_assumed_and_said(call: Call) -> None:
    [one] = readings(call)
    wrongly = LOST[call.emitter, call.name]
    assert wrongly in one.assumed
    assert priced(one).cost != float(call.ledger["cost"])
    usage = one.facts.usage
    assert usage is not None
    true = provided(call.ledger["usage"])
    if wrongly == FIVE_MINUTES:
        assert counted(usage)[:4] == counted(true)[:4]
        assert usage.cache_write_1h_tokens == 0 < true.cache_write_1h_tokens
    else:
        assert usage.cache_read_tokens == 0 < true.cache_read_tokens
    if call.name != "ai 4 google":
        assert usage.output_tokens == true.output_tokens


def test_every_loss_is_of_a_call_that_was_sampled() -> None:
    sampled = {(call.emitter, call.name) for call in paid((*RUN, *DOCUMENTED))}
    assert LOST.keys() <= sampled


@pytest.mark.parametrize("emitter", [*RUN, *UNNAMED])
def test_a_call_without_counts_has_no_amount(emitter: str) -> None:
    for call in sample(emitter):
        if "without usage" in call.name or "abandoned" in call.name or not call.ledger["usage"]:
            for one in readings(call):
                assert one.facts.usage is None
                assert priced(one).cost is None
                assert one.reported is None


@pytest.mark.parametrize("call", list(paid(tuple(UNNAMED))), ids=str)
def test_who_does_not_name_the_provider_has_no_price_until_the_application_does(call: Call) -> None:
    [one] = readings(call)
    assert one.facts.provider == "_OTHER"
    assert (priced(one).cost, priced(one).status) == (None, "unpriced")
    assert one.facts.usage is not None
    assert counted(one.facts.usage) == counted(provided(call.ledger["usage"]))

    provider = "anthropic" if "message" in call.name else "openai"
    named = {
        "langfuse": {"langfuse.observation.metadata.provider": f'"{provider}"'},
        "strands": {"gen_ai.provider.name": provider},
    }
    [one] = readings(call, **named[call.emitter])
    assert one.facts.provider == provider
    assert priced(one).cost == float(call.ledger["cost"])


def test_litellm_says_what_it_thinks_a_call_cost() -> None:
    for emitter in ("litellm", "litellm-v2"):
        for call in paid((emitter,)):
            [one] = readings(call)
            assert one.reported is not None
            assert float(one.reported) == pytest.approx(float(call.ledger["cost"]), rel=1e-12)
            assert one.facts.usage is not None
            assert one.facts.usage.reported_cost is None  # it is not the provider who says it


GENERATION = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4.1",
    "langfuse.observation.metadata.ls_provider": '"openai"',
}


def generation(usage: dict[str, Any], **more: Any) -> Reading:
    found = of(
        GENERATION | {"langfuse.observation.usage_details": json.dumps(usage)} | more,
        "langfuse-sdk",
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 100, "output": 20}, (100, 20, 0, 0, 0)),
        ({"input": 60, "input_cached_tokens": 40, "output": 20}, (100, 20, 40, 0, 0)),
        ({"input": 60, "input_cache_read": 40, "output": 20, "total": 120}, (100, 20, 40, 0, 0)),
        # The total says that the input holds it, and the output its reasoning.
        (
            {"input": 100, "input_cached_tokens": 40, "output": 20, "total": 120},
            (100, 20, 40, 0, 0),
        ),
        (
            {"input": 100, "output": 20, "output_reasoning_tokens": 15, "total": 120},
            (100, 20, 0, 0, 0),
        ),
        ({"input": 100, "output": 5, "output_reasoning_tokens": 15}, (100, 20, 0, 0, 0)),
        # LangChain's handler: details by kind, cache writes by time to live.
        (
            {
                "input": 10,
                "input_cache_read": 50,
                "input_cache_creation": 0,
                "input_ephemeral_5m_input_tokens": 30,
                "input_ephemeral_1h_input_tokens": 10,
                "output": 20,
                "total": 120,
            },
            (100, 20, 50, 40, 10),
        ),
        ({"input": 90, "input_audio": 10, "output": 15, "output_audio": 5}, (100, 20, 0, 0, 0)),
        ({"input": 100, "input_priority": 100, "output": 20}, (100, 20, 0, 0, 0)),
        ({"input": "100", "output": "20"}, (100, 20, 0, 0, 0)),
        # The providers' own.
        (
            {"inputTokens": 60, "outputTokens": 20, "cacheReadInputTokens": 40, "totalTokens": 120},
            (100, 20, 40, 0, 0),
        ),
        (
            {"prompt_token_count": 100, "cached_content_token_count": 40}
            | {"candidates_token_count": 5, "thoughts_token_count": 15, "total_token_count": 120},
            (100, 20, 40, 0, 0),
        ),
        (
            {"input_tokens": 50, "output_tokens": 20, "cache_read_input_tokens": 40}
            | {"cache_creation_input_tokens": 10}
            | {"cache_creation": {"ephemeral_1h_input_tokens": 10}},
            (100, 20, 40, 10, 10),
        ),
    ],
)
def test_langfuse_usage(usage: dict[str, Any], expected: tuple[int, ...]) -> None:
    found = generation(usage).facts.usage
    assert found is not None
    assert counted(found) == expected
    assert found.problem == ""


def test_langfuse_tier_is_among_the_parameters() -> None:
    raw = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    found = generation(raw, **{"langfuse.observation.model.parameters": '{"service_tier": "flex"}'})
    assert found.facts.usage is not None
    assert found.facts.usage.tier == "flex"


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ('{"total": 0.25, "input": 0.2}', "0.25"),
        ('{"input": 0.2, "output": 0.05}', "0.25"),
        ('{"input": 0, "output": 0, "total": 0}', None),
        ('{"total": "free"}', None),
        ("{", None),
    ],
)
def test_langfuse_cost(costs: str, expected: str | None) -> None:
    found = generation({"input": 1}, **{"langfuse.observation.cost_details": costs})
    assert (str(found.reported) if found.reported else None) == expected


def test_langfuse_knows_anthropic_by_what_only_its_own_api_reports() -> None:
    raw = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 0}
    bare = {"langfuse.observation.type": "generation"}
    for more, provider in (({}, "_OTHER"), ({"inference_geo": "us"}, "anthropic")):
        usage = json.dumps(raw | more)
        found = of(bare | {"langfuse.observation.usage_details": usage}, "langfuse-sdk")
        assert found is not None
        assert found.facts.provider == provider


@pytest.mark.parametrize("kind", ["agent", "tool", "chain", "retriever", "span", "event", 5, None])
def test_langfuse_prices_generations_and_embeddings_alone(kind: Any) -> None:
    attributes = GENERATION | {"langfuse.observation.usage_details": '{"input": 5}'}
    assert of(attributes | {"langfuse.observation.type": kind}, "langfuse-sdk") is None


def test_langchain_through_langsmith_says_nothing_of_the_cache() -> None:
    found = of(
        {
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "openai",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4.1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
        },
        "langsmith",
    )
    assert found is not None
    assert found.assumed == (NOT_CACHED,)


def test_langsmith_is_not_believed_where_the_run_or_the_id_says_otherwise() -> None:
    bare = {
        "langsmith.span.kind": "llm",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4.1",
    }
    found = of(bare | {"langsmith.metadata.ls_provider": "azure"}, "langsmith")
    assert found is not None
    assert found.facts.provider == "azure.ai.openai"
    bedrock = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    found = of(bare | {"gen_ai.system": "anthropic", "gen_ai.request.model": bedrock}, "langsmith")
    assert found is not None
    assert found.facts.provider == "aws.bedrock"


def test_litellm_writes_a_call_onto_the_span_around_it() -> None:
    within = [call for call in sample("litellm") if "within plan" in call.name]
    scopes = {s["scope"]["name"] for call in within for s in call.spans if reading(s) is not None}
    assert scopes == {"application"}


def test_a_litellm_span_is_read_as_its_own_whatever_it_is_written_in_besides() -> None:
    for emitter in ("litellm-v2", "litellm-v2-openinference", "litellm-v2-langfuse"):
        spans = [span for call in sample(emitter) for span in call.spans]
        chosen = [choose(span["scope"]["name"], span["attributes"]) for span in spans]
        assert {dialect.name for dialect in chosen if dialect} == {"litellm"}


def test_claude_code_prices_what_answered_faster_as_such() -> None:
    [call, *_] = sample("claude_code")
    [usual], [fast] = readings(call), readings(call, speed="fast")
    assert (usual.facts.usage and usual.facts.usage.speed) == ""
    assert (fast.facts.usage and fast.facts.usage.speed) == "fast"


def test_claude_code_on_bedrock_is_told_by_the_id() -> None:
    [call, *_] = sample("claude_code")
    model = "us.anthropic.claude-opus-4-5-20251101-v1:0"
    [one] = readings(call, **{"model": model, "gen_ai.request.model": model})
    assert one.facts.provider == "aws.bedrock"
    assert one.who.step == "repl_main_thread"


def test_adk_through_litellm_is_served_by_what_is_before_the_name() -> None:
    attributes = {
        "gen_ai.system": "gcp.vertex.agent",
        "gen_ai.request.model": "openai/gpt-4.1",
        "gcp.vertex.agent.llm_request": "{}",
        "gcp.vertex.agent.llm_response": '{"usage_metadata": {"prompt_token_count": 9}}',
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
    }
    found = of(attributes, "gcp.vertex.agent", "1.30.0")
    assert found is not None
    assert found.facts.provider == "openai"
    assert found.facts.usage is not None
    assert counted(found.facts.usage) == (100, 20, 40, 0, 0)


def test_adk_thoughts_are_beside_the_output_where_they_are_an_experiment() -> None:
    attributes = {
        "gen_ai.system": "gcp.vertex.agent",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gcp.vertex.agent.llm_request": "{}",
        "gcp.vertex.agent.llm_response": "{}",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 700,
        "gen_ai.usage.experimental.reasoning_tokens": 100,
    }
    found = of(attributes, "gcp.vertex.agent", "1.27.0")
    assert found is not None
    assert found.facts.usage is not None
    assert (found.facts.usage.output_tokens, found.facts.usage.reasoning_tokens) == (800, 100)


@pytest.mark.parametrize(
    ("word", "provider"),
    [
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("azure.responses", "azure.ai.openai"),
        ("mistral.chat", "mistral_ai"),
        ("xai.chat", "x_ai"),
        ("groq.chat", "groq"),
    ],
)
def test_vercel_provider_words(word: str, provider: str) -> None:
    found = of({"ai.operationId": "ai.streamText.doStream", "ai.model.provider": word}, "ai")
    assert found is not None
    assert found.facts.provider == provider


def test_vercel_grounding_is_a_fee() -> None:
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
    grounding = {"webSearchQueries": ["wool", "sheep"]}
    found = of(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "google.generative-ai",
            "ai.response.model": "gemini-3-pro-preview",
            "ai.response.providerMetadata": json.dumps(
                {"google": {"usageMetadata": usage, "groundingMetadata": grounding}}
            ),
        },
        "ai",
    )
    assert found is not None
    assert found.facts.usage is not None
    assert found.facts.usage.web_searches == 2


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "aws.bedrock"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "aws.bedrock"),
        ("amazon.nova-pro-v1:0", "aws.bedrock"),
        ("us-gov.anthropic.claude-haiku-4-5-20251001-v1:0", "aws.bedrock"),
        ("meta.llama3-1-70b-instruct-v1:0", "aws.bedrock"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", "aws.bedrock"),
        ("claude-haiku-4-5@20251001", "gcp.vertex_ai"),
        ("projects/p/locations/us/publishers/google/models/gemini-2.5-pro", "gcp.vertex_ai"),
        ("claude-haiku-4-5-20251001", None),
        ("gpt-4.1", None),
        ("gemini-2.5-pro", None),
        ("meta.llama-3.3-70b-instruct", None),  # Oracle's too
        ("llama3.1:8b", None),
        ("qwen2.5:7b", None),
        ("", None),
        (7, None),
    ],
)
def test_ids_that_are_one_providers_alone(model: Any, provider: str | None) -> None:
    assert provider_of_id(model) == provider


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[1]", "7", "null", 7, None, ["{}"], '{"a": 1', "{'a': 1"),
        '{"a":' * 10_000,
        "{'a':" * 10_000,
        json.dumps({"a": "x" * MAX_OBJECT}),
        str({"a": "x" * MAX_OBJECT}),
    ],
)
def test_what_is_no_object_holds_nothing(text: Any) -> None:
    assert json_in({"a": text}, "a") == {}
    assert printed_in({"a": text}, "a") == {}


def test_a_printed_dict_is_never_evaluated() -> None:
    text = "{'n': 5, 'none': None, 'yes': True, 'within': {'m': 1.5}, 'list': ['None here']}"
    found = printed_in({"a": text}, "a")
    assert found["n"] == 5
    assert found["none"] is None
    assert found["yes"] is True
    assert found["within"] == {"m": 1.5}
    for evil in ("{'n': __import__('os')}", "{'n': 2**9**9}", "{'n': (1,)}", "{**{'n': 1}}"):
        assert printed_in({"a": evil}, "a") == {}


WORDS = ("input", "output", "total", "prompt_tokens", "usage", "cached_tokens", "anthropic")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["12", "-1", "1e400", "NaN", "none", "llm_request", "generation", "openai"]),
)
objects = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)
values = st.one_of(
    scalars,
    st.lists(st.text(max_size=3), max_size=3),
    objects.map(lambda value: json.dumps(value, default=str)),
    objects.map(str),
    st.sampled_from(['{"a":' * 50_000, "[" * 70_000, "{'a': " * 30_000, '{"input": 1', "9" * 5000]),
)


def names_of(dialect: Dialect) -> list[str]:
    """Every attribute that is read, and the word that makes a call of a span."""
    told = {name for alternatives in dialect.names.values() for name in alternatives}
    embedded = {
        "ai.response.providerMetadata",
        "metadata.usage_object",
        "hidden_params",
        "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.llm_request",
        "gen_ai.usage.input_token_details",
        "gen_ai.usage.output_token_details",
        "langfuse.observation.usage_details",
        "langfuse.observation.cost_details",
        "langfuse.observation.model.parameters",
        "span.type",
    }
    return sorted(told | dialect.marks | embedded)


CALLED: dict[str, dict[str, Any]] = {
    "langfuse": {"langfuse.observation.type": "generation"},
    "langsmith": {"langsmith.span.kind": "llm"},
    "litellm": {"litellm.call_id": "1", "gen_ai.operation.name": "chat"},
    "vercel": {"ai.operationId": "ai.generateText.doGenerate"},
    "claude_code": {"span.type": "llm_request"},
}


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_attributes_make_reading_raise(name: str, data: st.DataObject) -> None:
    dialect = DIALECTS[name]
    attributes = data.draw(st.dictionaries(st.sampled_from(names_of(dialect)), values, max_size=9))
    for more in ({}, CALLED.get(name, {"gen_ai.operation.name": "chat"})):
        found = read(dialect, Seen(attributes | more, "", "", AT, AT, False), GATEWAYS)
        if more:
            assert found is not None or name in ("google_adk", "vercel otel")
        if found is not None:
            cost = priced(found).cost
            assert cost is None or cost >= 0
