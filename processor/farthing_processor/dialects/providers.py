"""Providers: the words that emitters have for a provider, as ``gen_ai.provider.name``."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from farthing_processor.pricing.hosts import provider_of
from farthing_processor.semconv import PROVIDER_OTHER

MAX_WORD: Final = 64

WORDS: Final = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "az.ai.inference": "azure.ai.inference",
    "azure-ai-inference": "azure.ai.inference",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "aws-bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "generative-ai": "gcp.gemini",
    "google_generativeai": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "gcp.vertex.agent": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "grok": "x_ai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "fireworksai": "fireworks",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "cohere_chat": "cohere",
    "openai_chat": "openai",
}
"""A word, in small letters, → the provider; what is not here is taken as it is, and has a price if
the price table knows a provider of that name."""


def provider_named(word: object) -> str | None:
    """The provider that a word stands for; None where it is none."""
    if not isinstance(word, str) or not 0 < len(word) <= MAX_WORD:
        return None
    word = word.strip().lower()
    return WORDS.get(word, word) or None


def served_by(
    address: str | None, port: int | None, named: str | None, gateways: frozenset[str]
) -> str:
    """Who served a call: the provider that the host is, else what the emitter names.

    The name of a client library says little, its host everything: an emitter that names the library
    calls Azure ``openai``. A host that is nobody's has no prices (`PROVIDER_OTHER`), unless it is a
    gateway of the user's; and where no host is told, the emitter is believed.
    """
    if address is None:
        return named or PROVIDER_OTHER
    known = provider_of(address, port)
    if known != PROVIDER_OTHER:
        return known
    address = address.lower()
    if address in gateways or (port is not None and f"{address}:{port}" in gateways):
        return named or PROVIDER_OTHER
    return PROVIDER_OTHER


def host_in(address: object, port: object) -> tuple[str | None, int | None]:
    """Host and port of what is written as one, or as the URL that a client was given."""
    if not isinstance(address, str) or not 0 < len(address) <= 2048:
        return None, None
    return _host_in(address, port if type(port) is int else None)


@lru_cache(maxsize=256)
def _host_in(address: str, number: int | None) -> tuple[str | None, int | None]:
    if "/" not in address and address.count(":") != 1:
        return address, number
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        if parts.port is not None:
            number = parts.port
        elif number is None and parts.scheme:
            number = 80 if parts.scheme == "http" else 443
        return parts.hostname or None, number
    except ValueError:
        return None, None
