"""Dialects under the names of versions that nobody installs today."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing_processor.usage import Usage
from tests.processor.written import (
    CHAT,
    CONTRIB_BEDROCK,
    CONTRIB_OPENAI,
    LOGFIRE_ANTHROPIC,
    OPENINFERENCE_BEDROCK,
    OPENINFERENCE_OPENAI,
    OPENLIT_GEMINI,
    OPENLIT_OPENAI,
    OPENLLMETRY_ANTHROPIC,
    OPENLLMETRY_GOOGLE,
    OPENLLMETRY_OPENAI,
    PACKAGE,
    usage_of,
)


@pytest.mark.parametrize(
    ("scope", "attributes", "usage"),
    [
        pytest.param(
            CONTRIB_OPENAI,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.prompt_tokens": 1000,
                "gen_ai.usage.completion_tokens": 100,
            },
            Usage(1000, 100),
            id="conventions before 1.27",
        ),
        pytest.param(
            CONTRIB_OPENAI,
            {
                **CHAT,
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.cache_creation.input_tokens": 100,
            },
            Usage(1000, 100, 400, 100),
            id="conventions before 1.4x",
        ),
        pytest.param(
            CONTRIB_BEDROCK,
            {
                **CHAT,
                "gen_ai.system": "aws.bedrock",
                "gen_ai.provider.name": "aws.bedrock",
                "gen_ai.usage.cache_read.input_tokens": 400,
            },
            Usage(1400, 100, 400),
            id="bedrock of contrib, excluded",
        ),
        pytest.param(
            f"{PACKAGE}genai.bedrock",
            {
                **CHAT,
                "gen_ai.provider.name": "aws.bedrock",
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.cache_write.input_tokens": 200,
            },
            Usage(1600, 100, 400, 200),
            id="bedrock, excluded",
        ),
        pytest.param(
            OPENLLMETRY_OPENAI,
            {
                "llm.request.type": "chat",
                "gen_ai.system": "OpenAI",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.model": "gpt-4o-2024-08-06",
                "gen_ai.usage.prompt_tokens": 1000,
                "gen_ai.usage.completion_tokens": 100,
                "gen_ai.usage.cache_read_input_tokens": 400,
                "llm.usage.reasoning_tokens": 60,
                "llm.usage.total_tokens": 1100,
            },
            Usage(1000, 100, 400, reasoning_tokens=60),
            id="Traceloop",
        ),
        pytest.param(
            OPENLLMETRY_OPENAI,
            {
                "llm.request.type": "completion",
                "llm.vendor": "OpenAI",
                "llm.request.model": "gpt-3.5-turbo",
                "llm.response.model": "gpt-3.5-turbo-0125",
                "llm.usage.prompt_tokens": 1000,
                "llm.usage.completion_tokens": 100,
                "llm.usage.total_tokens": 1100,
            },
            Usage(1000, 100),
            id="Traceloop of 2023",
        ),
        pytest.param(
            OPENLLMETRY_ANTHROPIC,
            {
                "llm.request.type": "completion",
                "gen_ai.system": "Anthropic",
                "gen_ai.request.model": "claude-haiku-4-5",
                "gen_ai.usage.prompt_tokens": 1000,
                "gen_ai.usage.completion_tokens": 100,
                "gen_ai.usage.cache_read_input_tokens": 400,
                "gen_ai.usage.cache_creation_input_tokens": 200,
                "llm.usage.total_tokens": 1100,
            },
            Usage(1000, 100, 400, 200),
            id="Traceloop of Anthropic since 0.33.4, the first that counts its cache",
        ),
        pytest.param(
            f"{PACKAGE}bedrock",
            {
                **CHAT,
                "gen_ai.provider.name": "aws.bedrock",
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.total_tokens": 1100,
            },
            Usage(1400, 100, 400),
            id="OpenLLMetry of Bedrock, whose total is its own sum",
        ),
        pytest.param(
            OPENLLMETRY_GOOGLE,
            {
                **CHAT,
                "gen_ai.operation.name": "generate_content",
                "gen_ai.provider.name": "gcp.gen_ai",
                "gen_ai.response.model": "gemini-2.5-pro",
                "gen_ai.usage.total_tokens": 1350,
            },
            Usage(1000, 350, reasoning_tokens=250),
            id="OpenLLMetry of Google, whose total alone holds the thoughts",
        ),
        pytest.param(
            OPENLIT_GEMINI,
            {
                **CHAT,
                "gen_ai.provider.name": "gcp.gemini",
                "gen_ai.client.token.usage": 1100,
                "gen_ai.usage.reasoning_tokens": 250,
            },
            Usage(1000, 350, reasoning_tokens=250),
            id="OpenLIT of Gemini, whose total is its own sum",
        ),
        pytest.param(
            OPENLIT_OPENAI,
            {
                **CHAT,
                "gen_ai.usage.prompt_tokens_details.cached_tokens": 400,
                "gen_ai.usage.completion_tokens_details.reasoning_tokens": 60,
            },
            Usage(1000, 100, 400, reasoning_tokens=60),
            id="OpenLIT of 2025",
        ),
        pytest.param(
            OPENINFERENCE_BEDROCK,
            {
                "openinference.span.kind": "LLM",
                "llm.provider": "aws",
                "llm.model_name": "anthropic.claude-haiku-4-5-20251001-v1:0",
                "llm.token_count.prompt": 1000,
                "llm.token_count.completion": 100,
                "llm.token_count.total": 1500,
                "llm.token_count.prompt_details.cache_read": 400,
            },
            Usage(1400, 100, 400),
            id="OpenInference of Converse, excluded by its total",
        ),
        pytest.param(
            OPENINFERENCE_BEDROCK,
            {
                "openinference.span.kind": "LLM",
                "llm.provider": "aws",
                "llm.model_name": "anthropic.claude-haiku-4-5-20251001-v1:0",
                "llm.token_count.prompt": 1400,
                "llm.token_count.completion": 100,
                "llm.token_count.total": 1500,
                "llm.token_count.prompt_details.cache_read": 400,
            },
            Usage(1400, 100, 400),
            id="OpenInference of Converse since, included by its total",
        ),
        pytest.param(
            OPENINFERENCE_OPENAI,
            {
                **CHAT,
                "openinference.span.kind": "LLM",
                "llm.provider": "openai",
                "llm.model_name": "gpt-4.1-2025-04-14",
                "llm.token_count.prompt": 1000,
                "llm.token_count.completion": 100,
                "llm.token_count.prompt_details.cache_read": 400,
                "gen_ai.usage.cache_creation.input_tokens": 100,
            },
            Usage(1000, 100, 400),
            id="OpenInference with GenAI names beside its own",
        ),
        pytest.param(
            LOGFIRE_ANTHROPIC,
            {
                "gen_ai.system": "anthropic",
                "gen_ai.request.model": "claude-haiku-4-5",
                "gen_ai.usage.input_tokens": 400,
                "gen_ai.usage.output_tokens": 100,
                "response_data": json.dumps(
                    {
                        "message": {"role": "assistant"},
                        "usage": {
                            "input_tokens": 400,
                            "output_tokens": 100,
                            "cache_read_input_tokens": 500,
                            "cache_creation_input_tokens": 100,
                            "cache_creation": {
                                "ephemeral_5m_input_tokens": 0,
                                "ephemeral_1h_input_tokens": 100,
                            },
                        },
                    }
                ),
            },
            Usage(1000, 100, 500, 100, 100),
            id="Logfire of 2025, which excludes what was cached",
        ),
        pytest.param(
            "pydantic-ai",
            {
                **CHAT,
                "gen_ai.usage.details.cache_read_tokens": 400,
                "gen_ai.usage.details.reasoning_tokens": 60,
                "gen_ai.usage.details.input_audio_tokens": 30,
            },
            Usage(1000, 100, 400, reasoning_tokens=60, input_audio_tokens=30),
            id="Pydantic AI of 2025",
        ),
    ],
)
def test_names_of_every_age_are_read(scope: str, attributes: dict[str, Any], usage: Usage) -> None:
    assert usage_of(scope, attributes) == usage
