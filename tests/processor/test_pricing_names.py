"""Model names: what is priced as what, and what is refused."""

from __future__ import annotations

import json

import pytest

from farthing_processor.pricing.names import PROVIDERS, resolve
from farthing_processor.pricing.pack import Pack, shipped


def found(provider: str, name: str) -> tuple[str, str] | None:
    pack = shipped()
    known = pack.provider(provider)
    assert known is not None
    match = resolve(pack, known, name)
    return (f"{match.model.provider}/{match.model.id}", match.how) if match else None


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
        ("openai", "gpt-4o-audio-preview-2024-12-17", "openai/gpt-4o-audio-preview", "rule"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc", "openai/ft:gpt-4o", "rule"),
        ("openai", "ft:gpt-3.5-turbo-0125:acme:x:y", "openai/ft:gpt-3.5-turbo-", "rule"),
        ("openai", "ft:gpt-4-0613:acme::x", "openai/gpt-4", "rule"),
        ("openai", "omni-moderation-2024-09-26", "openai/moderation", "rule"),
        ("anthropic", "claude-sonnet-4-6", "anthropic/claude-sonnet-4-6", "exact"),
        ("anthropic", "claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5", "rule"),
        ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-0", "rule"),
        ("anthropic", "claude-opus-5-20260801", "anthropic/claude-opus-5", "rule"),
        ("anthropic", "claude-sonnet-4-6-eap", "anthropic/claude-sonnet-4-6", "loose"),
        ("anthropic", "claude-2.1", "anthropic/claude-2", "rule"),
        ("google", "gemini-2.0-flash-001", "google/gemini-2.0-flash", "rule"),
        ("google", "models/claude-haiku-4-5@20251001", "google/claude-haiku-4-5", "loose"),
        ("aws", "us.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0", "loose"),
        ("azure", "gpt-5-2025-08-07", "openai/gpt-5", "exact"),
    ],
)
def test_recognised(provider: str, name: str, model: str, how: str) -> None:
    assert found(provider, name) == (model, how)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-9-unreleased"),
        ("openai", "gpt-4o-ultra"),
        ("openai", "gpt-5-nano-ultra"),
        ("openai", "gpt-5-nano-2"),
        ("openai", "my-gpt-4o"),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::x"),
        ("openai", "ft:gpt-4o:acme::x"),
        ("openai", "not-a-moderation-model"),
        ("anthropic", "claude-opus-4-10"),
        ("anthropic", "claude-haiku-4-51"),
        ("anthropic", "claude-haiku-4-5-1"),
        ("anthropic", "claude-sonnet-4-6-mega"),
        ("google", "gemini-3.8-flash-ultra"),
        ("google", "gemini-3.8-flash-tts"),
        ("google", "gemini-2.5-pro-tts"),
        ("mistral", "mistral-large-3112"),
        ("openai", ""),
        ("openai", "gpt-4o" + "-2024-05-13" * 40),
    ],
)
def test_refused(provider: str, name: str) -> None:
    match = found(provider, name)
    # A model of that very name may be in the table; a parent's price may not be used.
    assert match is None or match == (f"{provider}/{name}", "exact")


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
