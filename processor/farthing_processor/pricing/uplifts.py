"""Uplifts: what it adds to a price that inference stays in a place, which the pack does not know.

Each row was read where it says, on 2026-11-21.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

NONE: Final = Decimal(1)
TENTH: Final = Decimal("1.1")


class Uplift(NamedTuple):
    """What inference in some places does to the price of some models."""

    provider: str
    """The pack's id of the provider that is called."""
    models: re.Pattern[str]
    """The pack's whole ids of them."""
    geo: re.Pattern[str]
    times: Decimal
    """What every rate but a fee's is multiplied by."""


_ANYWHERE = re.compile(r".+")
_OPENAI_REGIONS = re.compile(r"us|eu|au|in|jp")

UPLIFTS: Final = (
    # https://developers.openai.com/api/docs/guides/data-residency: "charged a 10% uplift for models
    # released on or after March 5, 2026", the day of gpt-5.4. These are the models that both the
    # pack and litellm 1.109.1 have; a model in neither row is of a day that we do not know.
    Uplift(
        "openai",
        re.compile(r"gpt-(?:5\.[4-6]|6(?:\.1)?)(?:-(?!image|cyber).+)?"),
        _OPENAI_REGIONS,
        TENTH,
    ),
    Uplift(
        "openai",
        re.compile(r"(?:gpt-(?:3\.5|4|4o|4\.1|5|5\.[1-3])|o[134]|text-embedding-3)(?:-.+)?"),
        _OPENAI_REGIONS,
        NONE,
    ),
    # https://platform.claude.com/docs/en/build-with-claude/data-residency: 1.1 times for inference
    # in the US, from Opus 4.6 on; earlier models cannot be asked for it.
    Uplift(
        "anthropic",
        re.compile(r"claude-(?:(?:opus|sonnet)-4-[6-9]|[a-z]+-5(?:-\d)?)"),
        re.compile(r"us"),
        TENTH,
    ),
    # https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai: a premium of 10%
    # everywhere but at the global endpoint, from Claude 4.5 on; earlier models keep their price.
    Uplift(
        "google",
        re.compile(r"claude-(?:v?[1-3].*|(?:opus|sonnet)-4-[01]|4-(?:opus|sonnet))"),
        _ANYWHERE,
        NONE,
    ),
    Uplift("google", re.compile(r"claude-[a-z]+-(?:4-[5-9]|5(?:-\d)?)"), _ANYWHERE, TENTH),
    # litellm 1.109.1, `regional_endpoint_uplift_multiplier` of its vertex_ai models: 1.1 for these,
    # none for any before Gemini 3.
    Uplift("google", re.compile(r"gemini-(?:[12]\..+|embedding-001)"), _ANYWHERE, NONE),
    Uplift(
        "google",
        re.compile(r"gemini-(?:3\.1-flash-lite|3\.5-flash-lite|3\.[5-8]-flash|4-argon)"),
        _ANYWHERE,
        TENTH,
    ),
)


def uplift(provider: str, model: str, geo: str) -> Decimal | None:
    """What multiplies the rates of ``model`` at ``provider`` in ``geo``; None when not known."""
    for row in UPLIFTS:
        if row.provider == provider and row.models.fullmatch(model) and row.geo.fullmatch(geo):
            return row.times
    return None
