"""Spring AI (Java): Micrometer's observations, every value of which is a text.

Its counts are the provider's: with Anthropic and Bedrock the input leaves out what was cached, with
the others it holds it (``AnthropicChatModel``, ``BedrockProxyChatModel``, 2.0). An observation of a
chat client, an advisor or a tool is no call (``gen_ai.operation.name`` is ``framework``, or none).
"""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, excluded_at

_NONE: Final = "none"
"""What Micrometer writes for a value that there is not."""
_MODELS: Final = ("gen_ai.request.model", "gen_ai.response.model")


def _opened(attributes: Attributes) -> Attributes:
    if _NONE not in (attributes.get(name) for name in _MODELS):
        return attributes
    return {
        name: value
        for name, value in attributes.items()
        if not (name in _MODELS and value == _NONE)
    }


SPRING_AI: Final = Dialect(
    name="spring_ai",
    scopes=("org.springframework.boot", "io.micrometer.*"),
    marks=frozenset({"gen_ai.operation.name"}),
    names={**GENAI, "session": ("spring.ai.chat.client.conversation.id", "session.id")},
    opened=_opened,
    cache=excluded_at("anthropic", "aws.bedrock"),
)
"""The scope is the one of Spring Boot's tracer, or of Micrometer's bridge."""
