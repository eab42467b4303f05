"""The tracer inside Mistral's own client."""

from __future__ import annotations

from typing import Final

from farthing_processor.dialects.dialect import Attributes, Dialect, named_operation


def _operation(attributes: Attributes) -> str | None:
    """As named. An agent of Mistral's is called like a model, and nothing within it is traced: what
    it used is said nowhere else."""
    if attributes.get("gen_ai.operation.name") == "invoke_agent":
        return "chat" if "gen_ai.usage.input_tokens" in attributes else None
    return named_operation(attributes)


MISTRAL_SDK: Final = Dialect(
    name="mistral",
    packages=("mistralai",),
    scopes=("mistralai_sdk_tracer",),
    records_tokens=False,
    marks=frozenset({"gen_ai.operation.name"}),
    operation=_operation,
    # Each is one request of the client; nothing of the application's is within it.
    calls_only=True,
)
