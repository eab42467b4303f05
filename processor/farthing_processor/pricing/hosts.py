"""Hosts: which provider serves at an address, as ``gen_ai.provider.name``.

The name of a client library says nothing: the OpenAI client talks to a dozen providers, each with
its own prices. Names are those of the GenAI conventions where they have one, else the price pack's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from farthing_processor.semconv import PROVIDER_OTHER

HOSTS: Final[Mapping[str, str]] = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "aiplatform.us.rep.googleapis.com": "gcp.vertex_ai",
    "aiplatform.eu.rep.googleapis.com": "gcp.vertex_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral_ai",
    "codestral.mistral.ai": "mistral_ai",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "api.cerebras.ai": "cerebras",
    "api.novita.ai": "novita",
    "api.avian.io": "avian",
    "api.minimax.io": "minimax",
    "api.minimaxi.com": "minimax",
    "api.minimax.com": "minimax",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    "api.voyageai.com": "voyageai",
    "api.arcee.ai": "arcee",
    "inference.baseten.co": "baseten",
    "api.githubcopilot.com": "github-copilot",
    "api.cloudflare.com": "cloudflare",
    "cloud.databricks.com": "databricks",
    "gcp.databricks.com": "databricks",
    "azuredatabricks.net": "databricks",
    "api.doubleword.ai": "doubleword",
    "api.elevenlabs.io": "elevenlabs",
    "api.meta.ai": "meta",
    "oai.endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
    "api.quicksilverpro.io": "quicksilverpro",
    "api.typesafe.ai": "typesafe",
}
"""A host, and every host below it, to its provider. What many providers are behind, told apart by
the path or the account, is in no row: router.huggingface.co, azure-api.net, modal.run, a gateway.
"""

RESIDENCY: Final[Mapping[str, str]] = {
    "eu.api.openai.com": "eu",
    "us.api.openai.com": "us",
    "au.api.openai.com": "au",
    "in.api.openai.com": "in",
    "jp.api.openai.com": "jp",
    "aiplatform.us.rep.googleapis.com": "us",
    "aiplatform.eu.rep.googleapis.com": "eu",
}
"""Hosts that keep inference in a region, for `Usage.geo`
(https://developers.openai.com/api/docs/guides/data-residency and
https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai)."""

_VERTEX_LOCATION = "-aiplatform.googleapis.com"
"""What follows a single region, which is such a host too."""


# Regions and private endpoints put labels before and after the service's.
AWS_SERVICES: Final = frozenset({"bedrock-runtime", "bedrock-runtime-fips", "bedrock-mantle"})
AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")

_CLAUDE_ON_AWS = re.compile(r"aws-external-anthropic\.[a-z0-9-]+\.api\.aws")
"""Anthropic's own platform at its own prices, paid through AWS
(https://docs.aws.amazon.com/claude-platform/latest/userguide/data-residency.html)."""


def provider_of(host: str | None, port: int | None = None) -> str:
    """The provider behind ``server.address``; `PROVIDER_OTHER` when unknown: a gateway, a
    proxy, one's own machine. It has no prices. Raises nothing.

    Only a whole name or one below it counts: ``eu.api.openai.com`` is OpenAI,
    ``api.openai.com.evil.example`` and ``notapi.openai.com`` are not. A port other than that of
    HTTPS is someone's own server under a borrowed name.
    """
    if not host or port not in (None, 443):
        return PROVIDER_OTHER
    host = host.lower().rstrip(".")
    rest = host
    while rest:
        if name := HOSTS.get(rest):
            return name
        rest = rest.partition(".")[2]
    if host.endswith(_VERTEX_LOCATION):
        return "gcp.vertex_ai"
    if host.endswith(AWS_DOMAINS) and not AWS_SERVICES.isdisjoint(host.split(".")):
        return "aws.bedrock"
    if _CLAUDE_ON_AWS.fullmatch(host):
        return "anthropic"
    return PROVIDER_OTHER


def residency_of(host: str | None) -> str:
    """Where ``server.address`` keeps inference (``eu``, ``us-east5``); empty where that is not its
    promise."""
    if not host:
        return ""
    host = host.lower().rstrip(".")
    location, vertex, rest = host.partition(_VERTEX_LOCATION)
    return location if vertex and not rest else RESIDENCY.get(host, "")
