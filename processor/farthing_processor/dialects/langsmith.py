"""LangSmith's OpenTelemetry export: runs as spans, details of tokens as Python prints a dict.

Its ``gen_ai.system`` is what it makes of the model's name; what the run itself says
(``ls_provider``) comes first. Details are there for the wrappers of clients only: those of a
LangChain run are not exported (``langsmith/_internal/otel/_otel_exporter.py``, 0.15), so that what
was cached is not known of one.
"""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect, unknown_at
from farthing_processor.dialects.embedded import printed_in
from farthing_processor.dialects.model_ids import provider_of_id
from farthing_processor.dialects.reading import ASSUMED_NOT_CACHED

_KIND: Final = "langsmith.span.kind"
_PROVIDER: Final = "langsmith.metadata.ls_provider"
_IN: Final = "gen_ai.usage.input_token_details"
_OUT: Final = "gen_ai.usage.output_token_details"
_OPERATIONS: Final = {"llm": "chat", "embedding": "embeddings"}


def _operation(attributes: Attributes) -> str | None:
    kind = attributes.get(_KIND)
    return _OPERATIONS.get(kind) if isinstance(kind, str) else None


def _opened(attributes: Attributes) -> Attributes:
    if _IN not in attributes and _OUT not in attributes:
        return attributes
    within = {
        f"{name}.{key}": count
        for name in (_IN, _OUT)
        for key, count in printed_in(attributes, name).items()
    }
    return {**attributes, **within}


def _provider(attributes: Attributes) -> str | None:
    told = attributes.get(_PROVIDER)
    if isinstance(told, str) and told:
        return told
    return provider_of_id(attributes.get("gen_ai.request.model"))


def _assumes(attributes: Attributes) -> tuple[str, ...]:
    return () if _IN in attributes or _by_wrapper(attributes) else (ASSUMED_NOT_CACHED,)


def _by_wrapper(attributes: Attributes) -> bool:
    """Whether a client's answer was exported: it has an id, a LangChain run has none."""
    return "gen_ai.response.id" in attributes


LANGSMITH: Final = Dialect(
    name="langsmith",
    packages=("langsmith",),
    scopes=("langsmith",),
    records_tokens=False,
    marks=frozenset({_KIND}),
    names={
        **GENAI,
        "cache_read": (f"{_IN}.cache_read",),
        "cache_write": (f"{_IN}.cache_creation",),
        "cache_write_5m": (f"{_IN}.ephemeral_5m_input_tokens",),
        "cache_write_1h": (f"{_IN}.ephemeral_1h_input_tokens",),
        "input_audio": (f"{_IN}.audio",),
        "reasoning": (f"{_OUT}.reasoning",),
        "output_audio": (f"{_OUT}.audio",),
        "tier": ("gen_ai.response.service_tier",),
        "workflow": ("langsmith.trace.name",),
        "user": ("langsmith.metadata.user_id",),
        "session": tuple(
            f"langsmith.metadata.{name}" for name in ("session_id", "thread_id", "conversation_id")
        ),
    },
    operation=_operation,
    opened=_opened,
    provider=_provider,
    # LangChain counts what was cached in; its Bedrock models pass on what Bedrock says.
    cache=unknown_at("aws.bedrock"),
    assumes=_assumes,
)
"""``langsmith.trace.session_id`` is the project, no session."""
