"""Usage readers: from a provider's response body to `Usage`, one function for each API.

A body is the decoded JSON or the client's own object (a pydantic model, read through its fields
and its extra fields, never dumped). Readers are total: they raise on nothing that JSON can say. A
count that is not one (negative, fractional, boolean, text, absurdly large) is taken as not
reported and named in `Usage.problem`. Absent usage reads as None.

Shapes: the types of the `openai` 3.54 and `anthropic` 2.12 clients, whose docstrings are the
source of every rule that is not otherwise sourced there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from farthing_processor.readers.anthropic import anthropic_messages
from farthing_processor.readers.openai import openai_batch, openai_chat, openai_responses
from farthing_processor.readers.openai_media import (
    UNNAMED_IMAGE_MODEL,
    openai_images,
    openai_moderations,
    openai_speech,
    openai_transcription,
)
from farthing_processor.readers.values import Fields, fields
from farthing_processor.usage import Usage

__all__ = [
    "READERS",
    "UNNAMED_IMAGE_MODEL",
    "Fields",
    "Reader",
    "anthropic_messages",
    "fields",
    "openai_batch",
    "openai_chat",
    "openai_images",
    "openai_moderations",
    "openai_responses",
    "openai_speech",
    "openai_transcription",
]

Reader = Callable[[object], Usage | None]

READERS: Final[Mapping[tuple[str, str], Reader]] = {
    ("openai", "chat.completions"): openai_chat,
    ("openai", "completions"): openai_chat,
    ("openai", "responses"): openai_responses,
    ("openai", "embeddings"): openai_chat,
    ("openai", "images"): openai_images,
    ("openai", "audio.speech"): openai_speech,
    ("openai", "audio.transcriptions"): openai_transcription,
    ("openai", "audio.translations"): openai_transcription,
    ("openai", "moderations"): openai_moderations,
    ("openai", "batch"): openai_batch,
    ("anthropic", "messages"): anthropic_messages,
    ("anthropic", "beta.messages"): anthropic_messages,
    ("anthropic", "messages.batches"): anthropic_messages,
}
"""(provider, API) to its reader; the provider is the one whose client made the call."""
