"""Usage readers: from a provider's response body to `Usage`, one function for each API.

A body is the decoded JSON or the client's own object (a pydantic model, read through its fields
and its extra fields, never dumped). Readers are total: they raise on nothing that JSON can say. A
count that is not one (negative, fractional, boolean, text, absurdly large) is taken as not
reported and named in `Usage.problem`. Absent usage reads as None.

Shapes: the types of the `openai` 3.54 and `anthropic` 2.12 clients, whose docstrings are the
source of every rule that is not otherwise sourced there; other providers' files name theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from farthing_processor.readers.anthropic import anthropic_messages
from farthing_processor.readers.bedrock import bedrock_converse, bedrock_invoke
from farthing_processor.readers.cohere import cohere_usage
from farthing_processor.readers.google import (
    gemini_embeddings,
    gemini_generate_content,
    gemini_interactions,
    gemini_live,
)
from farthing_processor.readers.ollama import ollama_usage
from farthing_processor.readers.openai import (
    openai_batch,
    openai_chat,
    openai_realtime,
    openai_responses,
)
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
    "APIS",
    "READERS",
    "UNNAMED_IMAGE_MODEL",
    "Fields",
    "Reader",
    "anthropic_messages",
    "bedrock_converse",
    "bedrock_invoke",
    "cohere_usage",
    "fields",
    "gemini_embeddings",
    "gemini_generate_content",
    "gemini_interactions",
    "gemini_live",
    "ollama_usage",
    "openai_batch",
    "openai_chat",
    "openai_images",
    "openai_moderations",
    "openai_realtime",
    "openai_responses",
    "openai_speech",
    "openai_transcription",
]

Reader = Callable[[object], Usage | None]

_OF_OPENAI: Final[Mapping[str, Reader]] = {
    "chat.completions": openai_chat,
    "completions": openai_chat,
    "responses": openai_responses,
    "embeddings": openai_chat,
    "images": openai_images,
    "audio.speech": openai_speech,
    "audio.transcriptions": openai_transcription,
    "audio.translations": openai_transcription,
    "moderations": openai_moderations,
    "realtime": openai_realtime,
    "realtime.transcription": openai_transcription,
    "batch": openai_batch,
}
_OF_ANTHROPIC: Final[Mapping[str, Reader]] = {
    "messages": anthropic_messages,
    "beta.messages": anthropic_messages,
    "messages.batches": anthropic_messages,
}
_OF_GOOGLE: Final[Mapping[str, Reader]] = {
    "generate_content": gemini_generate_content,
    "live": gemini_live,
    "interactions": gemini_interactions,
    "embed_content": gemini_embeddings,
}
_OF_BEDROCK: Final[Mapping[str, Reader]] = {
    "converse": bedrock_converse,
    "converse_stream": bedrock_converse,
    "invoke_model": bedrock_invoke,
    "invoke_model_with_response_stream": bedrock_invoke,
}
_OF_COHERE: Final[Mapping[str, Reader]] = {
    "v1.chat": cohere_usage,
    "v1.embed": cohere_usage,
    "v1.rerank": cohere_usage,
    "v2.chat": cohere_usage,
    "v2.embed": cohere_usage,
    "v2.rerank": cohere_usage,
}
_OF_MISTRAL: Final[Mapping[str, Reader]] = {
    "chat.complete": openai_chat,
    "fim.complete": openai_chat,
    "audio.transcriptions.complete": openai_transcription,
}
_OF_OLLAMA: Final[Mapping[str, Reader]] = {
    "chat": ollama_usage,
    "generate": ollama_usage,
    "embed": ollama_usage,
}

APIS: Final[Mapping[str, tuple[Mapping[str, Reader], ...]]] = {
    "openai": (_OF_OPENAI,),
    "anthropic": (_OF_ANTHROPIC,),
    "azure.ai.openai": (_OF_OPENAI,),
    "azure.ai.inference": (_OF_OPENAI, _OF_ANTHROPIC),
    "gcp.gemini": (_OF_GOOGLE, _OF_OPENAI),
    "gcp.vertex_ai": (_OF_GOOGLE, _OF_OPENAI, _OF_ANTHROPIC),
    "gcp.gen_ai": (_OF_GOOGLE,),
    "aws.bedrock": (_OF_BEDROCK, _OF_ANTHROPIC, _OF_OPENAI),
    "cohere": (_OF_COHERE, _OF_OPENAI),
    "mistral_ai": (_OF_MISTRAL, _OF_OPENAI),
    "groq": (_OF_OPENAI,),
    "deepseek": (_OF_OPENAI, _OF_ANTHROPIC),
    "openrouter": (_OF_OPENAI, _OF_ANTHROPIC),
    "ollama": (_OF_OLLAMA, _OF_OPENAI, _OF_ANTHROPIC),
    "x_ai": (_OF_OPENAI, _OF_ANTHROPIC),
    "perplexity": (_OF_OPENAI,),
    "moonshot_ai": (_OF_OPENAI, _OF_ANTHROPIC),
    "ibm.watsonx.ai": (_OF_OPENAI,),
    "together": (_OF_OPENAI,),
    "fireworks": (_OF_OPENAI, _OF_ANTHROPIC),
    "cerebras": (_OF_OPENAI,),
    "litellm": (_OF_OPENAI, _OF_ANTHROPIC),
}
"""What each provider speaks. The name of an API is that of the client's method without its verb, or
with it where that is all there is; it means one shape, whoever speaks it."""

READERS: Final[Mapping[tuple[str, str], Reader]] = {
    (provider, api): reader
    for provider, families in APIS.items()
    for family in families
    for api, reader in family.items()
}
"""(``gen_ai.provider.name``, API) to its reader."""
