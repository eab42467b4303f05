"""Spans written down by hand, for dialects to read."""

from __future__ import annotations

from typing import Any

from farthing_processor.dialects import Reading, Seen, choose, read
from farthing_processor.usage import Usage
from tests.processor.conftest import ns

NOW = ns("2026-11-22T12:00:00")
NOBODYS = frozenset({"gateway.internal"})

PACKAGE = "opentelemetry.instrumentation."
CONTRIB_OPENAI = f"{PACKAGE}openai_v2"
CONTRIB_BEDROCK = f"{PACKAGE}botocore.bedrock-runtime"
OPENLLMETRY_OPENAI = f"{PACKAGE}openai.v1"
OPENLLMETRY_ANTHROPIC = f"{PACKAGE}anthropic"
OPENLLMETRY_GOOGLE = f"{PACKAGE}google_generativeai"
OPENINFERENCE_OPENAI = "openinference.instrumentation.openai"
OPENINFERENCE_BEDROCK = "openinference.instrumentation.bedrock"
OPENINFERENCE_LITELLM = "openinference.instrumentation.litellm"
OPENLIT_GEMINI = "openlit.instrumentation.google_ai_studio"
OPENLIT_OPENAI = "openlit.instrumentation.openai"
LOGFIRE_ANTHROPIC = "logfire.anthropic"
ANTHROPIC = "com.anthropic.sdk.python"
NOBODY = "shop.billing"

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1",
    "gen_ai.response.model": "gpt-4.1-2025-04-14",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
CLAUDE: dict[str, Any] = {
    **CHAT,
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-haiku-4-5",
    "gen_ai.response.model": "claude-haiku-4-5-20251001",
}


def seen(scope: str, attributes: dict[str, Any], version: str = "1.0") -> Reading:
    dialect = choose(scope, attributes)
    assert dialect is not None
    reading = read(dialect, Seen(attributes, scope, version, NOW, NOW + 10**9, False), NOBODYS)
    assert reading is not None
    return reading


def usage_of(scope: str, attributes: dict[str, Any], version: str = "1.0") -> Usage:
    usage = seen(scope, attributes, version).facts.usage
    assert usage is not None
    return usage


def is_call(scope: str, attributes: dict[str, Any]) -> bool:
    dialect = choose(scope, attributes)
    given = Seen(attributes, scope, "", NOW, NOW, False)
    return dialect is not None and read(dialect, given, NOBODYS) is not None
