"""Our prices beside litellm's published table: a disagreement that nobody has looked at fails.

litellm's table is data here, never installed nor committed: the wheel of one release is fetched
from the package index and one file of it read. The two are kept by different people, so that each
is the other's alarm. When this fails, see which of the two the vendor's page bears out: a row of
the overlay where it is not ours (`overlay_rows`), an entry of `KNOWN` where it is not theirs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing.cards import CARDS

pytestmark = pytest.mark.slow

RELEASE = "litellm==1.109.1"
TABLE = "litellm/model_prices_and_context_window_backup.json"
AT_NS = 1_795_140_000 * 10**9
"""2026-11-20T02:00:00Z, between the two releases, at DeepSeek's peak: their plain rates are those
of the peak."""

FIELDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
SPELLINGS = {
    "openai": "",
    "azure": "azure/",
    "anthropic": "",
    "google": "gemini/",
    "mistral": "mistral/",
    "cohere": "",
    "groq": "groq/",
    "aws": "",
    "deepseek": "deepseek/",
    "x-ai": "xai/",
}
"""What litellm writes before a name."""

MODELS = {
    "openai": """gpt-4o gpt-4o-mini gpt-4o-2024-05-13 gpt-4.1 gpt-4.1-mini gpt-4.1-nano o1 o3
        o3-mini o4-mini gpt-5 gpt-5-mini gpt-5-nano gpt-5.1 gpt-5.2 gpt-5.4 gpt-5.4-mini gpt-5.5
        gpt-5.6-sol gpt-5.6-luna gpt-6-sol gpt-6-luna gpt-6-astra gpt-6.1-sol gpt-6.1-terra
        gpt-audio gpt-realtime text-embedding-3-large text-embedding-3-small
        ft:gpt-4o-2024-08-06""",
    "azure": "gpt-4o gpt-4o-mini gpt-4.1 gpt-5 gpt-5.5",
    "anthropic": """claude-3-haiku-20240307 claude-3-5-sonnet-20241022 claude-3-5-haiku-20241022
        claude-3-7-sonnet-20250219 claude-sonnet-4-20250514 claude-opus-4-1 claude-haiku-4-5
        claude-sonnet-4-5 claude-sonnet-4-6 claude-opus-4-5 claude-opus-4-6 claude-opus-4-7
        claude-opus-4-8 claude-opus-5 claude-opus-5-5 claude-sonnet-5 claude-sonnet-5-5
        claude-haiku-5-5 claude-fable-5-2""",
    "google": """gemini-2.0-flash gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-pro
        gemini-3-flash-preview gemini-3-pro-preview gemini-3.1-pro-preview gemini-3.1-flash-lite
        gemini-3.5-flash gemini-3.6-flash gemini-3.8-flash gemini-4-argon gemini-embedding-001""",
    "mistral": """mistral-large-latest mistral-large-2512 mistral-large-4 mistral-medium-latest
        mistral-small-latest ministral-8b-latest codestral-latest""",
    "cohere": "command-a-03-2025 command-r-plus-08-2024 command-r-08-2024 command-r7b-12-2024",
    "groq": """openai/gpt-oss-120b openai/gpt-oss-20b llama-3.3-70b-versatile
        llama-3.1-8b-instant""",
    "aws": """us.meta.llama3-3-70b-instruct-v1:0 us.meta.llama3-1-70b-instruct-v1:0
        us.anthropic.claude-sonnet-4-6 us.anthropic.claude-3-5-haiku-20241022-v1:0
        anthropic.claude-sonnet-4-6 anthropic.claude-sonnet-4-5-20250929-v1:0
        us.anthropic.claude-sonnet-4-5-20250929-v1:0
        global.anthropic.claude-sonnet-4-5-20250929-v1:0 us.amazon.nova-premier-v1:0
        amazon.nova-micro-v1:0 amazon.nova-lite-v1:0 amazon.nova-pro-v1:0
        us.amazon.nova-2-lite-v1:0""",
    "deepseek": "deepseek-chat deepseek-reasoner deepseek-v4-pro deepseek-v4-flash deepseek-flash",
    "x-ai": "grok-4 grok-4-fast grok-4.5 grok-4.6 grok-4.7",
}
PAIRS = [(provider, model) for provider, models in MODELS.items() for model in models.split()]

ALL = "input output cache_read cache_write"
GONE = "absent", "litellm deletes models that are retired; we keep them to price what was"
REGIONAL = ALL, "BerriAI/litellm#42679: a bare id is billed as of a region, 10% above the global"
TIER = ALL, "one of the two has forgotten the long-context price that ended on 2026-04-30"
V3 = ALL, "ours is of before DeepSeek V3.2, the name ended on 2026-07-24"
KNOWN: dict[tuple[str, str], tuple[str, str]] = {
    ("openai", "ft:gpt-4o-2024-08-06"): ("cache_read", "no page of OpenAI's that could be read"),
    ("anthropic", "claude-3-haiku-20240307"): GONE,
    ("anthropic", "claude-3-5-sonnet-20241022"): GONE,
    ("anthropic", "claude-3-5-haiku-20241022"): GONE,
    ("anthropic", "claude-3-7-sonnet-20250219"): GONE,
    ("anthropic", "claude-sonnet-4-20250514"): GONE,
    ("anthropic", "claude-opus-4-1"): GONE,
    ("anthropic", "claude-sonnet-4-5"): TIER,
    ("anthropic", "claude-fable-5-2"): ("absent", "newer than theirs"),
    ("google", "gemini-2.0-flash"): GONE,
    ("google", "gemini-3-pro-preview"): GONE,
    ("mistral", "mistral-large-latest"): (ALL, "ours is Large 2, theirs Large 3: a moving alias"),
    ("mistral", "mistral-large-4"): (ALL, "theirs is of before 2026-10-29"),
    ("mistral", "codestral-latest"): ("cache_read", "we have no rate of it: a moving alias"),
    ("groq", "llama-3.3-70b-versatile"): GONE,
    ("groq", "llama-3.1-8b-instant"): GONE,
    ("aws", "anthropic.claude-sonnet-4-6"): REGIONAL,
    ("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0"): REGIONAL,
    ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"): TIER,
    ("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"): TIER,
    ("aws", "us.amazon.nova-premier-v1:0"): GONE,
    ("deepseek", "deepseek-chat"): V3,
    ("deepseek", "deepseek-reasoner"): V3,
    ("x-ai", "grok-4"): GONE,
    ("x-ai", "grok-4-fast"): GONE,
}
"""The disagreements that were looked at: the classes that differ, and why that stands."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """litellm's table, by their names."""
    folder = tmp_path_factory.mktemp("litellm")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = folder / "venv" / "bin" / "pip"
    fetch = [pip, "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder, RELEASE]
    subprocess.run(fetch, check=True, capture_output=True)
    (wheel,) = folder.glob("litellm-*.whl")
    return read_table(wheel)


def read_table(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        return json.loads(archive.read(TABLE), parse_float=Decimal)


def our_rates(provider: str, model: str) -> dict[str, dict[int, Decimal]]:
    """USD for a million by class: (more input tokens than this) → rate."""
    card = CARDS.get((provider, model, "", False, "", ""), AT_NS)
    assert card.unpriced is None, (provider, model, card.unpriced)
    per_million = Decimal(card.per_usd) / 10**6
    return {
        field: {
            above: Decimal(getattr(rates, field) or 0) / per_million
            for above, rates in card.brackets
        }
        for field in FIELDS
    }


def their_rates(entry: dict[str, Any]) -> dict[str, dict[int, Decimal]]:
    """The same of an entry of litellm's, with our rules for what it leaves out.

    A threshold of theirs is exceeded by what is more, xAI's by what is as much.
    """
    at = -1 if entry["litellm_provider"] == "xai" else 0
    base = {field: entry.get(name) for field, name in FIELDS.items()}
    tiers: dict[int, dict[str, Any]] = {-1: base}
    for field, name in FIELDS.items():
        for key, value in entry.items():
            if found := re.fullmatch(rf"{name}_above_(\d+)k_tokens", key):
                tiers.setdefault(int(found[1]) * 1000 + at, dict(base))[field] = value
    # A rate that is absent, or a cache that is free to write, costs what input does.
    return {
        field: {
            above: Decimal(str(tier[field] or ("cache" in field and tier["input"]) or 0)) * 10**6
            for above, tier in tiers.items()
        }
        for field in FIELDS
    }


def disagreements(provider: str, model: str, table: dict[str, Any]) -> dict[str, str]:
    """The classes in which the two differ, and how; ``absent`` where they have no such model."""
    entry = table.get(SPELLINGS[provider] + model)
    if entry is None:
        return {"absent": "they have no such model"}
    ours, others = our_rates(provider, model), their_rates(entry)
    return {
        field: f"above {above} tokens ${_at(ours[field], above)} here, ${_at(others[field], above)}"
        for field in FIELDS
        for above in sorted(ours[field].keys() | others[field].keys())
        if _at(ours[field], above) != _at(others[field], above)
    }


def _at(rates: dict[int, Decimal], above: int) -> Decimal:
    return rates[max(start for start in rates if start <= above)].normalize()


@pytest.mark.parametrize(("provider", "model"), PAIRS, ids=[":".join(pair) for pair in PAIRS])
def test_the_two_agree_or_the_disagreement_is_known(
    provider: str, model: str, theirs: dict[str, Any]
) -> None:
    differs = disagreements(provider, model, theirs)
    classes, why = KNOWN.get((provider, model), ("", ""))
    assert differs.keys() == set(classes.split()), (differs, why)


def test_a_hundred_models_are_compared() -> None:
    assert len(set(PAIRS)) == len(PAIRS) > 100
    assert set(KNOWN) <= set(PAIRS)


def test_a_wrong_rate_is_seen(theirs: dict[str, Any]) -> None:
    wrong = {**theirs["gpt-5"], "output_cost_per_token": Decimal("0.00002")}
    said = disagreements("openai", "gpt-5", theirs | {"gpt-5": wrong})
    assert said == {"output": "above -1 tokens $1E+1 here, $2E+1"}
