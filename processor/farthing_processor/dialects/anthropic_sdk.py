"""The tracer inside Anthropic's own client."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import GENAI, Attributes, Dialect
from farthing_processor.readers.values import count_in
from farthing_processor.usage import Usage


def _ends_without(attributes: Attributes) -> bool:
    """A stream that nobody read to its end has neither its output nor a reason to stop."""
    return (
        attributes.get("gen_ai.request.stream") is True
        and "anthropic.message.stop_reason" not in attributes
    )


def _compactions(attributes: Attributes) -> tuple[tuple[str, Usage], ...]:
    """Compactions, which the counts of a message leave out. How much of their input was cached is
    not said (``lib/_tracing/_response.py``, 2.12)."""
    faults: list[str] = []
    read = count_in(attributes, "anthropic.usage.compaction.input_tokens", faults)
    written = count_in(attributes, "anthropic.usage.compaction.output_tokens", faults)
    if not read and not written and not faults:
        return ()
    problem = "; ".join(faults)
    return (("", Usage(read or 0, written or 0, complete=False, problem=problem)),)


ANTHROPIC_SDK: Final = Dialect(
    name="anthropic",
    scopes=("com.anthropic.sdk.python", "com.anthropic.sdk.python.*"),
    records_tokens=False,
    marks=frozenset({"gen_ai.operation.name"}),
    names={
        **GENAI,
        "tier": ("anthropic.response.service_tier",),
        "cache_write_5m": ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
        "cache_write_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    },
    also=_compactions,
    ends_without=_ends_without,
)
