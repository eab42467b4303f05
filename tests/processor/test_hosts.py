"""Hosts to providers: a look-alike is nobody."""

from __future__ import annotations

from typing import Any

import genai_prices.data
import pytest

from farthing_processor.pricing.hosts import HOSTS, provider_of, residency_of
from farthing_processor.pricing.names import PROVIDERS
from farthing_processor.pricing.pack import shipped
from farthing_processor.semconv import PROVIDER_OTHER


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("API.OpenAI.com.", "openai"),
        ("eu.api.openai.com", "openai"),
        ("us.api.openai.com", "openai"),
        ("acme.openai.azure.com", "azure.ai.openai"),
        ("acme.cognitiveservices.azure.com", "azure.ai.openai"),
        ("acme.services.ai.azure.com", "azure.ai.inference"),
        ("api.anthropic.com", "anthropic"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", "aws.bedrock"),
        ("bedrock-mantle.us-east-1.api.aws", "aws.bedrock"),
        ("aws-external-anthropic.us-west-2.api.aws", "anthropic"),
        ("aws-external-anthropic.api.aws.evil.example", PROVIDER_OTHER),
        ("us-east5-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("aiplatform.us.rep.googleapis.com", "gcp.vertex_ai"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("openrouter.ai", "openrouter"),
        ("api.x.ai", "x_ai"),
        ("api.deepseek.com", "deepseek"),
        ("api.groq.com", "groq"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.together.xyz", "together"),
        ("api.fireworks.ai", "fireworks"),
        ("api.cerebras.ai", "cerebras"),
        ("dbc-1.cloud.databricks.com", "databricks"),
        ("adb-1.2.azuredatabricks.net", "databricks"),
        ("router.huggingface.co", PROVIDER_OTHER),
        ("acme.azure-api.net", PROVIDER_OTHER),
        ("gateway.ai.cloudflare.com", PROVIDER_OTHER),
        ("acme.modal.run", PROVIDER_OTHER),
        ("api.openai.com.evil.example", PROVIDER_OTHER),
        ("notapi.openai.com", PROVIDER_OTHER),
        ("evil-api.openai.com.example.org", PROVIDER_OTHER),
        ("bedrock-runtime.us-east-1.amazonaws.com.evil.example", PROVIDER_OTHER),
        ("bedrock-runtime.evil.example", PROVIDER_OTHER),
        ("s3.amazonaws.com", PROVIDER_OTHER),
        ("evil-aiplatform.googleapis.com.example", PROVIDER_OTHER),
        ("openai.com", PROVIDER_OTHER),
        ("localhost", PROVIDER_OTHER),
        ("127.0.0.1", PROVIDER_OTHER),
        ("", PROVIDER_OTHER),
        (None, PROVIDER_OTHER),
        ("." * 300, PROVIDER_OTHER),
    ],
)
def test_provider_of(host: str | None, provider: str) -> None:
    assert provider_of(host) == provider


@pytest.mark.parametrize("provider", genai_prices.data.providers, ids=lambda each: each.id)
def test_every_provider_of_the_pack_has_a_host_or_a_reason(provider: Any) -> None:
    """A host that the pack's own pattern names is that provider, or one of many behind it."""
    shared = ("huggingface_", "modal", "openai-decisions", "cursor")
    named = {PROVIDERS.get(name, name) for name in HOSTS.values()}
    assert (provider.id in {*named, "aws"}) != provider.id.startswith(shared)


def test_another_port_is_another_server() -> None:
    assert provider_of("api.openai.com", 443) == "openai"
    assert provider_of("api.openai.com", 8080) == PROVIDER_OTHER


def test_residency() -> None:
    assert residency_of("EU.api.openai.com") == "eu"
    assert residency_of("api.openai.com") == residency_of(None) == ""
    assert residency_of("US-East5-aiplatform.googleapis.com.") == "us-east5"
    assert residency_of("aiplatform.eu.rep.googleapis.com") == "eu"
    assert residency_of("aiplatform.googleapis.com") == ""
    assert residency_of("us-east5-aiplatform.googleapis.com.evil.example") == ""


def test_every_host_but_one_has_prices() -> None:
    """A provider that the table names is one that the pack prices; watsonx it does not."""
    unpriced = {
        name for name in HOSTS.values() if not shipped().provider(PROVIDERS.get(name, name))
    }
    assert unpriced == {"ibm.watsonx.ai"}
