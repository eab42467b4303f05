"""What dialects make of counts that contradict each other or are none, of hosts, costs and who."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from farthing_processor.assessment import assess
from farthing_processor.dialects import DIALECTS, choose
from farthing_processor.usage import Usage
from tests.processor.written import (
    ANTHROPIC,
    CHAT,
    CLAUDE,
    CONTRIB_OPENAI,
    LOGFIRE_ANTHROPIC,
    NOBODY,
    OPENINFERENCE_LITELLM,
    OPENINFERENCE_OPENAI,
    OPENLIT_OPENAI,
    OPENLLMETRY_GOOGLE,
    OPENLLMETRY_OPENAI,
    PACKAGE,
    is_call,
    seen,
    usage_of,
)


def test_compactions_are_priced_beside_the_message_that_leaves_them_out() -> None:
    alone = seen(ANTHROPIC, CLAUDE)
    compacted = seen(
        ANTHROPIC,
        {
            **CLAUDE,
            "anthropic.usage.compaction.input_tokens": 50_000,
            "anthropic.usage.compaction.output_tokens": 2000,
        },
    )
    ours, more = assess(alone.facts, alone.who), assess(compacted.facts, compacted.who)
    assert ours.cost == 0.0015
    assert (more.cost, more.status) == (0.0615, "estimated")  # what of it was cached is not told


def test_times_to_live_of_the_native_tracer_have_their_prices() -> None:
    write = {
        **CLAUDE,
        "gen_ai.usage.cache_write.input_tokens": 300,
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 100,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 200,
    }
    reading = seen(ANTHROPIC, write)
    assert reading.facts.usage == Usage(1000, 100, 0, 300, 200)
    assert reading.assumed == ()
    assert seen(f"{PACKAGE}genai.anthropic", write).assumed == ("cache_write_5m",)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (f"{PACKAGE}genai.openai", {"openai.response.service_tier": "flex"}),
        (CONTRIB_OPENAI, {"gen_ai.openai.response.service_tier": "flex"}),
        (OPENLLMETRY_OPENAI, {"openai.response.service_tier": "flex"}),
        (OPENLIT_OPENAI, {"openai.response.service_tier": "flex"}),
        (ANTHROPIC, {"anthropic.response.service_tier": "flex"}),
    ],
)
def test_a_tier_that_is_told_is_read_and_the_standard_one_is_none(
    scope: str, said: dict[str, Any]
) -> None:
    assert usage_of(scope, {**CHAT, **said}).tier == "flex"
    for standard in ("default", "standard", "auto"):
        assert usage_of(scope, {**CHAT, **dict.fromkeys(said, standard)}).tier == ""


@pytest.mark.parametrize("count", [-1, True, 0.5, float("nan"), float("inf"), 10**13, "many", b"7"])
def test_what_is_no_count_is_not_priced_as_one(count: Any) -> None:
    usage = usage_of(CONTRIB_OPENAI, {**CHAT, "gen_ai.usage.output_tokens": count})
    assert usage.output_tokens is None
    assert "invalid gen_ai.usage.output_tokens" in usage.problem


@pytest.mark.parametrize("count", ["1000", " 1000 ", 1000.0])
def test_a_count_of_another_type_is_read(count: Any) -> None:
    assert usage_of(NOBODY, {**CHAT, "gen_ai.usage.input_tokens": count}).input_tokens == 1000


@pytest.mark.parametrize("scope", [CONTRIB_OPENAI, OPENLIT_OPENAI, LOGFIRE_ANTHROPIC, NOBODY])
def test_nothing_of_everything_is_no_usage(scope: str) -> None:
    nothing = dict.fromkeys(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"), 0)
    raw = json.dumps({"input_tokens": 0, "output_tokens": 0})
    assert seen(scope, {**CHAT, **nothing, "gen_ai.usage.raw": raw}).facts.usage is None


def test_the_arithmetic_of_an_emitter_that_nobody_knows() -> None:
    cached = {**CHAT, "gen_ai.usage.cache_read.input_tokens": 400}
    assert seen(NOBODY, cached).assumed == ("cache_included",)
    assert usage_of(NOBODY, cached) == Usage(1000, 100, 400)
    by_total = {**cached, "gen_ai.usage.total_tokens": 1500}
    assert seen(NOBODY, by_total).assumed == ()
    assert usage_of(NOBODY, by_total) == Usage(1400, 100, 400)
    # More of it was cached than there was.
    cached["gen_ai.usage.cache_read.input_tokens"] = 1200
    assert usage_of(NOBODY, cached) == Usage(2200, 100, 1200)


def test_reasoning_beside_the_output_is_told_by_the_total_or_by_its_size() -> None:
    thought = {**CHAT, "gen_ai.usage.reasoning.output_tokens": 60}
    assert usage_of(NOBODY, thought).output_tokens == 100
    assert usage_of(NOBODY, {**thought, "gen_ai.usage.total_tokens": 1160}).output_tokens == 160
    thought["gen_ai.usage.reasoning.output_tokens"] = 101
    assert usage_of(NOBODY, thought).output_tokens == 201


def test_what_is_said_of_thoughts_by_a_total_alone_is_an_assumption() -> None:
    google = {**CHAT, "gen_ai.provider.name": "gcp.gen_ai", "gen_ai.usage.total_tokens": 1350}
    assert seen(OPENLLMETRY_GOOGLE, google).assumed == ("reasoning_outside",)
    assert usage_of(OPENLLMETRY_OPENAI, {**CHAT, "gen_ai.usage.total_tokens": 1350}) == Usage(
        1000, 100
    )


def test_the_host_says_who_served_before_the_name_of_a_client_does() -> None:
    azure = {**CHAT, "gen_ai.openai.api_base": "https://shop.openai.azure.com/openai/"}
    assert seen(OPENLLMETRY_OPENAI, azure).facts.provider == "azure.ai.openai"
    own = {**CHAT, "gen_ai.openai.api_base": "http://localhost:8000/v1"}
    assert seen(OPENLLMETRY_OPENAI, own).facts.provider == "_OTHER"
    assert seen(OPENLLMETRY_OPENAI, CHAT).facts.provider == "openai"
    gateway = {**CHAT, "server.address": "gateway.internal", "server.port": 80}
    assert seen(CONTRIB_OPENAI, gateway).facts.provider == "openai"


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ({"llm.provider": "azure", "llm.system": "openai"}, "azure.ai.openai"),
        ({"llm.provider": "google", "llm.system": "vertexai"}, "gcp.gemini"),
        ({"llm.provider": "aws", "llm.system": "anthropic"}, "aws.bedrock"),
        ({"llm.provider": "xai", "llm.system": "openai"}, "x_ai"),
        # Where the client was given an address that is no provider's.
        ({"llm.system": "openai"}, "openai"),
        ({"llm.system": "mistralai"}, "mistral_ai"),
    ],
)
def test_openinference_names_the_provider_or_else_the_system(
    said: dict[str, str], provider: str
) -> None:
    call = {"openinference.span.kind": "LLM", "llm.model_name": "any", "llm.token_count.prompt": 1}
    assert seen(OPENINFERENCE_OPENAI, {**call, **said}).facts.provider == provider


@pytest.mark.parametrize(
    ("scope", "attributes", "reported"),
    [
        (
            OPENINFERENCE_LITELLM,
            {  # tokens where dollars should be (`litellm/__init__.py`)
                "llm.cost.total": 0.0028,
                "llm.cost.completion_details.output": 100,
                "llm.cost.prompt_details.cache_input": 600,
            },
            Decimal("0.0028"),
        ),
        (OPENINFERENCE_LITELLM, {"llm.cost.completion_details.output": 100}, None),
        (OPENLIT_OPENAI, {"gen_ai.usage.cost": 0.0028}, Decimal("0.0028")),
        (OPENLIT_OPENAI, {"gen_ai.usage.cost": 0}, None),
        (OPENLIT_OPENAI, {"gen_ai.usage.cost": "0.0028"}, Decimal("0.0028")),
        (OPENLIT_OPENAI, {"gen_ai.usage.cost": float("nan")}, None),
        (OPENLIT_OPENAI, {"gen_ai.usage.cost": -1.0}, None),
        (OPENLIT_OPENAI, {"gen_ai.usage.cost": True}, None),
        ("logfire.openai", {"operation.cost": 0.0028}, Decimal("0.0028")),
        ("pydantic-ai", {"operation.cost": 0.0028}, Decimal("0.0028")),
        (CONTRIB_OPENAI, {"operation.cost": 0.0028}, None),
    ],
)
def test_the_emitters_own_cost(
    scope: str, attributes: dict[str, Any], reported: Decimal | None
) -> None:
    call = {**CHAT, "openinference.span.kind": "LLM", "llm.token_count.prompt": 1000}
    assert seen(scope, {**call, **attributes}).reported == reported


@pytest.mark.parametrize(
    ("scope", "attributes", "who"),
    [
        (
            OPENLLMETRY_OPENAI,
            {
                "traceloop.workflow.name": "report",
                "traceloop.entity.path": "plan.summarise",
                "traceloop.association.properties.user_id": "u",
                "traceloop.association.properties.session_id": "s",
            },
            {"workflow": "report", "step": "plan.summarise", "user": "u", "session": "s"},
        ),
        (OPENLLMETRY_OPENAI, {"traceloop.entity.name": "plan", "llm.user": "u"}, {"step": "plan"}),
        (
            OPENINFERENCE_OPENAI,
            {"graph.node.id": "plan", "agent.name": "planner", "session.id": "s", "user.id": "u"},
            {"step": "plan", "agent": "planner", "session": "s", "user": "u"},
        ),
        (
            CONTRIB_OPENAI,
            {"gen_ai.agent.name": "planner", "gen_ai.workflow.name": "report", "enduser.id": "u"},
            {"agent": "planner", "workflow": "report", "user": "u"},
        ),
        (OPENLIT_OPENAI, {"gen_ai.request.user": "u"}, {"user": "u"}),
        ("pydantic-ai", {"agent_name": "planner"}, {"agent": "planner"}),
    ],
)
def test_who_spends(scope: str, attributes: dict[str, Any], who: dict[str, str]) -> None:
    call = {**CHAT, "openinference.span.kind": "LLM", "llm.token_count.prompt": 1000}
    found = seen(scope, {**call, **attributes}).who._asdict()
    assert {name: found[name] for name in who} == who


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        ("traceloop.tracer", {"traceloop.span.kind": "workflow", "traceloop.entity.name": "a"}),
        (f"{PACKAGE}langchain", {**CHAT, "gen_ai.operation.name": "execute_task"}),
        ("pydantic-ai", {**CHAT, "gen_ai.operation.name": "invoke_agent"}),
        ("openlit.instrumentation.langgraph", {**CHAT, "gen_ai.operation.name": "invoke_agent"}),
        (f"{PACKAGE}genai.openai", {**CHAT, "gen_ai.operation.name": "fetch_response"}),
        (OPENINFERENCE_OPENAI, {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 1}),
        (OPENINFERENCE_OPENAI, {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 1}),
        (ANTHROPIC, {"gen_ai.operation.name": "execute_tool"}),
        (ANTHROPIC, {"gen_ai.request.model": "claude-haiku-4-5"}),  # count_tokens
        (NOBODY, {"http.request.method": "POST"}),
    ],
)
def test_what_is_no_call(scope: str, attributes: dict[str, Any]) -> None:
    assert not is_call(scope, attributes)


def test_an_agent_of_mistrals_is_called_like_a_model() -> None:
    agent = {**CHAT, "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "mistral_ai"}
    assert seen("mistralai_sdk_tracer", agent).facts.operation == "chat"
    del agent["gen_ai.usage.input_tokens"]
    assert not is_call("mistralai_sdk_tracer", agent)


def test_a_span_of_a_scope_that_nobody_knows_is_told_by_its_marks() -> None:
    marks = {"openinference.span.kind": "LLM", "llm.token_count.prompt": 1}
    chosen = [choose(NOBODY, given) for given in (marks, {**CHAT, **marks}, CHAT)]
    assert [dialect and dialect.name for dialect in chosen] == [
        "openinference",
        "openinference",
        "gen_ai",
    ]


def test_no_two_dialects_are_one_but_those_of_one_emitter() -> None:
    scopes = [scope for dialect in DIALECTS for scope in dialect.scopes]
    assert len(scopes) == len(set(scopes))
