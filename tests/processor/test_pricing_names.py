"""Model names: what is priced as what, and what is refused."""

from __future__ import annotations

import json

import pytest

from farthing_processor.pricing import price
from farthing_processor.pricing.names import PROVIDERS, resolve
from farthing_processor.pricing.pack import Pack, shipped
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z


def found(provider: str, name: str) -> tuple[str, str] | None:
    pack = shipped()
    known = pack.provider(provider)
    assert known is not None
    match = resolve(pack, known, name)
    return (f"{match.model.provider}/{match.model.id}", match.how) if match else None


SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
REGIONAL = f"aws/regional.{SONNET}"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"


@pytest.mark.parametrize(
    ("provider", "name", "model", "how"),
    [
        ("openai", "gpt-4o", "openai/gpt-4o", "exact"),
        ("openai", "GPT-4o", "openai/gpt-4o", "exact"),
        # A snapshot with a price of its own is not its family.
        ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13", "exact"),
        ("openai", "gpt-4o-2031-01-01", "openai/gpt-4o", "rule"),
        ("openai", "gpt-5.2-20251211", "openai/gpt-5.2", "rule"),
        ("openai", "gpt-6-sol-2026-09-01", "openai/gpt-6-sol", "rule"),
        ("openai", "gpt-5-nano-2025-08-07", "openai/gpt-5-nano", "rule"),
        ("openai", "gpt-6.2-sol", "openai/gpt-6.2-sol", "exact"),
        ("openai", "gpt-6.2-sol-2026-11-17", "openai/gpt-6.2-sol", "rule"),
        ("openai", "gpt-4o-audio-preview-2024-12-17", "openai/gpt-4o-audio-preview", "rule"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc", "openai/ft:gpt-4o", "rule"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme:s:a:ckpt-step-9", "openai/ft:gpt-4o-mini",
         "rule"),
        ("openai", "ft:gpt-3.5-turbo-0125:acme:x:y", "openai/ft:gpt-3.5-turbo-", "rule"),
        ("openai", "ft:gpt-4-0613:acme::x", "openai/gpt-4", "rule"),
        ("openai", "omni-moderation-2024-09-26", "openai/moderation", "rule"),
        ("anthropic", "claude-sonnet-4-6", "anthropic/claude-sonnet-4-6", "exact"),
        ("anthropic", "claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5", "rule"),
        ("anthropic", "claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4-5", "rule"),
        ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-0", "rule"),
        ("anthropic", "claude-opus-5-20260801", "anthropic/claude-opus-5", "rule"),
        ("anthropic", "claude-sonnet-4-6-eap", "anthropic/claude-sonnet-4-6", "loose"),
        ("anthropic", "claude-2.1", "anthropic/claude-2", "rule"),
        ("google", "gemini-2.0-flash-001", "google/gemini-2.0-flash", "rule"),
        # An alias moves: what it is now is what it was when the pack was made.
        ("mistral", "mistral-large-latest", "mistral/mistral-large", "loose"),
        ("google", "gemini-flash-latest", "google/gemini-3.8-flash", "loose"),
        ("x-ai", "grok-4-latest", "x-ai/grok-4-0709", "loose"),
        ("anthropic", "claude-3-5-sonnet-latest", "anthropic/claude-3-5-sonnet", "loose"),
        ("openai", "chatgpt-4o-latest", "openai/chatgpt-4o-latest", "exact"),
        # Bedrock: regions, versions, context sizes, ARNs.
        *[
            ("aws", f"{region}.{SONNET}", REGIONAL, "rule")
            for region in ("us", "eu", "apac", "jp", "au", "in", "us-gov")
        ],
        ("aws", SONNET, REGIONAL, "rule"),
        ("aws", f"global.{SONNET}", f"aws/global.{SONNET}", "exact"),
        ("aws", f"{SONNET}:300k", REGIONAL, "rule"),
        ("aws", f"{PROFILE}/us.{SONNET}", REGIONAL, "rule"),
        ("aws", f"{PROFILE}/global.{SONNET}", f"aws/global.{SONNET}", "rule"),
        ("aws", f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}", REGIONAL, "rule"),
        ("aws", f"arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.{SONNET}",
         REGIONAL, "rule"),
        ("aws", "us.anthropic.claude-opus-4-6-v1", "aws/regional.anthropic.claude-opus-4-6-v1:0",
         "rule"),
        ("aws", "us.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0", "rule"),
        ("aws", "amazon.nova-pro-v1:0:300k", "aws/amazon.nova-pro-v1:0", "rule"),
        ("aws", "us.openai.gpt-6-sol", "aws/regional.openai.gpt-6-sol", "exact"),
        ("aws", "openai.gpt-6.1-sol", "aws/regional.openai.gpt-6.1-sol", "exact"),
        ("aws", "global.openai.gpt-6.1-sol", "aws/global.openai.gpt-6.1-sol", "exact"),
        # Azure: what answers, under OpenAI's names and its own.
        ("azure", "gpt-5-2025-08-07", "openai/gpt-5", "exact"),
        ("azure", "gpt-4o", "openai/gpt-4o", "exact"),
        ("azure", "gpt-35-turbo", "openai/gpt-3.5-turbo", "exact"),
        # Vertex: paths, and versions after an at sign.
        ("google", "models/gemini-2.5-flash", "google/gemini-2.5-flash", "rule"),
        ("google", "publishers/google/models/gemini-2.5-flash", "google/gemini-2.5-flash", "rule"),
        ("google", "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro",
         "google/gemini-2.5-pro", "rule"),
        ("google", "publishers/anthropic/models/claude-opus-4-6@20260205",
         "google/claude-opus-4-6", "rule"),
        ("google", "models/claude-haiku-4-5@20251001", "google/claude-haiku-4-5", "rule"),
        ("google", "claude-opus-4-6@default", "google/claude-opus-4-6", "rule"),
        ("google", "gemini-2.5-flash@001", "google/gemini-2.5-flash", "rule"),
        # OpenRouter: variants of a model.
        ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5",
         "exact"),
        ("openrouter", "deepseek/deepseek-r1:free", "openrouter/deepseek/deepseek-r1:free",
         "exact"),
        ("openrouter", "openai/gpt-4o:extended", "openrouter/openai/gpt-4o:extended", "exact"),
        *[
            ("openrouter", f"anthropic/claude-sonnet-4.5:{variant}",
             "openrouter/anthropic/claude-sonnet-4.5", how)
            for variant, how in [("nitro", "loose"), ("floor", "loose"), ("exacto", "loose"),
                                 ("online", "loose"), ("free", "rule")]
        ],
        ("openrouter", "~anthropic/claude-sonnet-latest",
         "openrouter/~anthropic/claude-sonnet-latest", "exact"),
    ],
)  # fmt: skip
def test_recognised(provider: str, name: str, model: str, how: str) -> None:
    assert found(provider, name) == (model, how)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-9-unreleased"),
        ("openai", "gpt-4o-ultra"),
        ("openai", "gpt-4o-latest"),
        ("openai", "gpt-5-nano-ultra"),
        ("openai", "gpt-5-nano-2"),
        ("openai", "gpt-6.2-sol-mini"),
        ("openai", "my-gpt-4o"),
        ("openai", "openai/gpt-5"),
        ("openai", "gpt-5:free"),
        ("openai", "us.gpt-5"),
        ("openai", "models/gpt-5"),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::x"),
        ("openai", "ft:gpt-4.1-mini-2025-04-14:acme::x"),
        ("openai", "ft:o4-mini-2025-04-16:acme::x"),
        ("openai", "ft:gpt-4o:acme::x"),
        ("openai", "not-a-moderation-model"),
        ("anthropic", "claude-opus-4-10"),
        ("anthropic", "claude-haiku-4-51"),
        ("anthropic", "claude-haiku-4-5-1"),
        ("anthropic", "claude-sonnet-4-6-mega"),
        ("anthropic", f"us.{SONNET}x"),
        ("aws", f"mars.{SONNET}"),
        ("aws", f"us.eu.us.{SONNET}-mega"),
        ("aws", "cohere.command-r-plus-v9:0"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:imported-model/a1b2"),
        ("aws", "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1"),
        ("aws", f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{SONNET}"),
        ("azure", "my-deployment"),
        ("azure", "model-router"),
        ("azure", "model-router-2025-11-18"),
        ("google", "gemini-3.8-flash-ultra"),
        ("google", "gemini-3.8-flash-tts"),
        ("google", "gemini-2.5-pro-tts"),
        ("google", "my-gemini-2.5-pro"),
        ("google", "tunedmodels/gemini-2.5-pro"),
        ("google", "projects/p/locations/us-central1/endpoints/1234567890"),
        ("google", "projects/p/locations/us/publishers/google/models/evil/gemini-2.5-pro"),
        ("google", "publishers/meta/models/llama-3.3-70b-instruct-maas"),
        ("google", "gemini-2.5-flash@latest-and-greatest"),
        ("openrouter", "anthropic/claude-sonnet-4.5:thinking"),
        ("openrouter", "made/up:free"),
        ("openrouter", "made/up:online"),
        ("openrouter", "claude-sonnet-4.5"),
        ("openrouter", "openrouter/auto"),
        ("mistral", "mistral-large-3112"),
        ("openai", ""),
        ("openai", "gpt-4o" + "-2024-05-13" * 40),
    ],
)
def test_refused(provider: str, name: str) -> None:
    match = found(provider, name)
    # A model of that very name may be in the table; a parent's price may not be used.
    assert match is None or match == (f"{provider}/{name}", "exact")


@pytest.mark.parametrize(
    ("name", "status", "amount", "problem"),
    [
        ("anthropic/claude-sonnet-4.5", "priced", "0.0045", ""),
        ("anthropic/claude-sonnet-4.5:nitro", "priced", "0.0045", ""),
        ("anthropic/claude-sonnet-4.5:free", "free", "0", ""),
        ("anthropic/claude-sonnet-4.5:online", "partial", "0.0045",
         "no rate for the searches of :online"),
    ],
)  # fmt: skip
def test_what_a_variant_costs(name: str, status: str, amount: str, problem: str) -> None:
    priced = price(Usage(1000, 100), provider="openrouter", model=name, at_ns=NOW)
    assert (priced.status, f"{priced.exact():f}", priced.problem) == (status, amount, problem)


def test_a_clause_of_several_parts_asks_for_all() -> None:
    both = {"and": [{"starts_with": "nova"}, {"regex": "^(?!.*2024)"}]}
    header = {
        "source": "test", "version": "1", "released": "2026-01-01T00:00:00Z",
        "providers": {"acme": {"first": 1, "count": 1}},
    }  # fmt: skip
    model = {"id": "nova-1", "names": [], "match": [both], "prices": [[None, {}]]}
    pack = Pack(f"{json.dumps(header)}\n{json.dumps(model)}\n")
    acme = pack.provider("acme")
    assert acme is not None
    assert resolve(pack, acme, "nova-2025-01-01")
    assert resolve(pack, acme, "nova-2024-01-01") is None


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "aws", "openrouter"])
@pytest.mark.parametrize("unit", ["-", "1", "-2024-01-01", "-preview", "a.", "/", "-v1:0", "-1111"])
def test_no_name_makes_a_pattern_blow_up(provider: str, unit: str) -> None:
    """Names come from callers. With nested repetition this would not end."""
    assert found(provider, "claude-2" + unit * 300 + "!") is None
    assert found(provider, ("claude-2" + unit * 200)[:255] + "!") is None


def test_every_renamed_provider_is_in_the_pack() -> None:
    assert all(shipped().provider(name) for name in PROVIDERS.values())


@pytest.mark.parametrize("seller", shipped().providers)
def test_a_listed_name_is_found_without_reading_the_others(seller: str) -> None:
    provider = Pack(shipped().text).provider(seller)
    assert provider is not None
    owners: dict[str, str] = {}
    for line in map(json.loads, shipped().lines(seller)):
        for name in line.get("names", (line["id"].lower(),)):
            owners.setdefault(name, line["id"])
    found = {name: provider.by_name[name].id for name in owners}
    assert found == owners
    assert owners.keys() <= set(provider.by_name)
    assert "" not in provider.by_name
    assert '","' not in provider.by_name
