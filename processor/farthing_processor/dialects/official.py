"""The official OpenTelemetry instrumentations, as packages of their own and in contrib."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import Attributes, Dialect, excluded_at


def _ends_without(attributes: Attributes) -> bool:
    """A stream is told why it finished with its last counts: without a reason they are those of its
    beginning, which Anthropic's has."""
    return (
        attributes.get("gen_ai.request.stream") is True
        and "gen_ai.response.finish_reasons" not in attributes
    )


OFFICIAL: Final = Dialect(
    name="opentelemetry",
    packages=(
        "opentelemetry-instrumentation-genai-*",
        "opentelemetry-instrumentation-openai-v2",
        "opentelemetry-instrumentation-google-genai",
        "opentelemetry-instrumentation-vertexai",
        "opentelemetry-instrumentation-botocore",
    ),
    scopes=(
        "opentelemetry.instrumentation.genai.*",
        "opentelemetry.instrumentation.openai_v2",
        "opentelemetry.instrumentation.google_genai",
        "opentelemetry.instrumentation.vertexai_v2",
        "opentelemetry.instrumentation.botocore.*",
    ),
    marks=frozenset({"gen_ai.operation.name"}),
    # Both pass on Bedrock's `inputTokens`, which is what was not cached.
    cache=excluded_at("aws.bedrock"),
    ends_without=_ends_without,
)
"""Their input of a Bedrock call is that of the wire (``genai/bedrock/extractors.py``, 1.3b0)."""
