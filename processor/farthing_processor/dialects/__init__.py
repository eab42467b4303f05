"""Dialects: who wrote a span, and how its attributes are to be read. One file for each emitter.

A span's dialect is that of its instrumentation scope, if the span bears one of its marks: some
libraries write several dialects from one scope. A scope that nobody knows is told by its marks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from farthing_processor.dialects.anthropic_sdk import ANTHROPIC_SDK
from farthing_processor.dialects.claude_code import CLAUDE_CODE
from farthing_processor.dialects.dialect import Attributes, Dialect
from farthing_processor.dialects.generic import GENERIC
from farthing_processor.dialects.google_adk import GOOGLE_ADK
from farthing_processor.dialects.langfuse import LANGFUSE
from farthing_processor.dialects.langsmith import LANGSMITH
from farthing_processor.dialects.litellm import LITELLM
from farthing_processor.dialects.logfire import LOGFIRE
from farthing_processor.dialects.mistral_sdk import MISTRAL_SDK
from farthing_processor.dialects.official import OFFICIAL
from farthing_processor.dialects.openinference import OPENINFERENCE
from farthing_processor.dialects.openlit import OPENLIT, OPENLIT_FRAMEWORKS
from farthing_processor.dialects.openllmetry import OPENLLMETRY, OPENLLMETRY_FRAMEWORKS
from farthing_processor.dialects.pydantic_ai import PYDANTIC_AI
from farthing_processor.dialects.reading import Reading, Seen, read
from farthing_processor.dialects.spring_ai import SPRING_AI
from farthing_processor.dialects.strands import STRANDS
from farthing_processor.dialects.vercel import VERCEL, VERCEL_OTEL

__all__ = ["DIALECTS", "MARKS", "Dialect", "Reading", "Seen", "choose", "of_scope", "read"]

DIALECTS: Final[tuple[Dialect, ...]] = (
    LITELLM,  # which may write the next two beside its own
    OPENINFERENCE,
    LANGFUSE,
    LANGSMITH,
    VERCEL,
    CLAUDE_CODE,
    GENERIC,
    # These are known by their scopes alone: what marks their spans marks many's.
    OFFICIAL,
    ANTHROPIC_SDK,
    LOGFIRE,
    MISTRAL_SDK,
    OPENLIT,
    OPENLIT_FRAMEWORKS,
    OPENLLMETRY,
    OPENLLMETRY_FRAMEWORKS,
    PYDANTIC_AI,
    GOOGLE_ADK,
    SPRING_AI,
    STRANDS,
    VERCEL_OTEL,
)
"""In the order in which the marks of a span of an unknown scope are looked for: what marks only one
emitter's spans comes before what marks many's."""

MARKS: Final = frozenset[str]().union(*(dialect.marks for dialect in DIALECTS))
"""Attributes one of which every call has: a span with none of them is no call to a model."""


@lru_cache(maxsize=1024)
def of_scope(scope: str) -> tuple[Dialect, ...]:
    """The dialects that a scope writes; none for a scope that nobody knows."""
    return tuple(
        dialect
        for dialect in DIALECTS
        for pattern in dialect.scopes
        if scope == pattern or (pattern.endswith("*") and scope.startswith(pattern[:-1]))
    )


def choose(scope: str, attributes: Attributes) -> Dialect | None:
    """The dialect of a span; None where it is not about a model at all."""
    for dialect in (*of_scope(scope), *DIALECTS):
        if not dialect.marks.isdisjoint(attributes):
            return dialect
    return None
