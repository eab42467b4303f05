"""Claude through the clouds: the name that was asked for, and the host, decide the price."""

from __future__ import annotations

import pytest

from farthing_processor.assessment import Assessment, assess
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing.hosts import provider_of
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
ARN = "arn:aws:bedrock:us-east-1:123456789012"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def assessed(host: str, asked: str | None, answered: str | None) -> Assessment:
    facts = Facts(provider_of(host), asked, answered, host, usage=Usage(1000, 100), start_ns=NOW)
    return assess(facts, Attribution())


@pytest.mark.parametrize(
    ("asked", "status", "cost"),
    [
        # $3.3 and $16.5 in a region, $3 and $15 anywhere.
        (f"us.{SONNET}", "priced", 0.00495),
        (f"eu.{SONNET}", "priced", 0.00495),
        (f"jp.{SONNET}", "priced", 0.00495),
        (SONNET, "priced", 0.00495),
        (f"global.{SONNET}", "priced", 0.0045),
        (f"{ARN}:inference-profile/us.{SONNET}", "priced", 0.00495),
        (f"{ARN}:inference-profile/global.{SONNET}", "priced", 0.0045),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}", "priced", 0.00495),
        (f"{ARN}:inference-profile/us.anthropic.claude-opus-5-5", "priced", 0.0066),
        # Whether these are of a region, or paid by the hour, nothing says.
        (f"{ARN}:application-inference-profile/a1b2c3d4e5f6", "unpriced", None),
        (f"{ARN}:provisioned-model/a1b2c3d4e5f6", "unpriced", None),
        (f"{ARN}:default-prompt-router/anthropic.claude:1", "unpriced", None),
    ],
)
def test_bedrock(asked: str, status: str, cost: float | None) -> None:
    said = assessed("bedrock-runtime.us-east-1.amazonaws.com", asked, "claude-sonnet-4-5-20250929")
    assert (said.status, said.cost) == (status, cost)
    assert (said.reason == "unknown_model") == (cost is None)


def test_bedrock_where_only_the_answer_is_known() -> None:
    said = assessed("bedrock-runtime.us-east-1.amazonaws.com", None, f"global.{SONNET}")
    assert said.cost == 0.0045


def test_elsewhere_an_alias_is_priced_as_what_answered() -> None:
    said = assessed("acme.openai.azure.com", "my-deployment", "gpt-5-2025-08-07")
    assert said.cost == 0.00225


@pytest.mark.parametrize(
    ("host", "asked", "answered", "status", "cost"),
    [
        (
            "us-east5-aiplatform.googleapis.com",
            "claude-sonnet-4-5@20250929",
            "claude-sonnet-4-5-20250929",
            "priced",
            0.00495,
        ),
        (
            "aiplatform.eu.rep.googleapis.com",
            "claude-opus-4-6",
            "claude-opus-4-6",
            "priced",
            0.00825,
        ),
        (
            "aiplatform.googleapis.com",
            "claude-sonnet-4-5@20250929",
            "claude-sonnet-4-5-20250929",
            "priced",
            0.0045,
        ),
        (
            "europe-west1-aiplatform.googleapis.com",
            "claude-opus-4-1@20250805",
            "claude-opus-4-1-20250805",
            "priced",
            0.0225,
        ),
    ],
)
def test_vertex(host: str, asked: str, answered: str, status: str, cost: float) -> None:
    said = assessed(host, asked, answered)
    assert (said.status, said.cost) == (status, cost)


def test_foundry() -> None:
    said = assessed("acme.services.ai.azure.com", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929")
    assert (said.status, said.cost) == ("priced", 0.0045)
