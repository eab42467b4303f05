"""Why a call costs what it costs, and why it is flagged, in words and numbers of its own span."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from farthing_dashboards.store.rows import COLUMNS, call_of
from farthing_dashboards.store.schema import GROUP
from farthing_dashboards.view.explanation import Paid, price
from farthing_dashboards.view.flags import flags
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import call


def paid(**attributes: Any) -> Paid:
    """A call with these attributes, by their names in `semconv`, and of classes of its cost by
    theirs; None leaves one out."""
    given = {
        getattr(names, name) if name.isupper() else f"{names.COST_CLASS_PREFIX}{name}": value
        for name, value in attributes.items()
    }
    span = call(Random(0), {names.STEP_NAME: "doc_synthesis", **given})
    read = call_of(span, 0)
    return Paid(
        dict(zip(GROUP, read.group, strict=True)),
        dict(zip(COLUMNS, read.values, strict=True)),
        span.attributes,
    )


def test_lines_are_tokens_at_a_rate() -> None:
    found = price(
        paid(
            USAGE_INPUT_TOKENS=5170,
            USAGE_OUTPUT_TOKENS=589,
            USAGE_CACHE_READ=3102,
            COST_AMOUNT=0.0159696,
            input=0.006204,
            cache_read=0.0009306,
            output=0.008835,
        ),
        None,
    )
    assert found["lines"] == [
        {"class": "input", "tokens": 2068, "per_million": "3", "cost": "0.006204"},
        {"class": "cache_read", "tokens": 3102, "per_million": "0.3", "cost": "0.0009306"},
        {"class": "output", "tokens": 589, "per_million": "15", "cost": "0.008835"},
    ]
    assert (found["total"], found["table"]) == ("0.0159696", "genai-prices 0.2.3")
    assert found["says"] == ["Everything that was billed has a known rate."]


def test_a_rate_that_is_an_average_says_so() -> None:
    found = price(
        paid(
            USAGE_INPUT_TOKENS=3000, input=0.01, USAGE_OUTPUT_TOKENS=10, output=0.0001, tools=0.02
        ),
        None,
    )
    input, output, tools = found["lines"]
    assert (input["per_million"], output["per_million"]) == ("3.333333", "10")
    assert (tools["tokens"], tools["per_million"], tools["cost"]) == (None, None, "0.02")
    assert [each for each in found["says"] if "average" in each] == [
        "The rate of input is an average: some of its tokens cost more than others, or something "
        "else is billed with them."
    ]


def test_the_tokens_of_an_estimate_are_the_estimated_ones() -> None:
    found = price(
        paid(
            COST_STATUS="estimated",
            USAGE_INPUT_TOKENS=None,
            USAGE_OUTPUT_TOKENS=None,
            ESTIMATED_INPUT=40285,
            ESTIMATED_OUTPUT=477,
            input=0.201425,
            output=0.01431,
        ),
        "abandoned",
    )
    assert [(line["tokens"], line["per_million"]) for line in found["lines"]] == [
        (40285, "5"),
        (477, "30"),
    ]
    assert found["says"][0].startswith("An estimate: ")
    assert found["says"][-1] == "Wasted (abandoned): answers that were not read to the end."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"COST_STATUS": "free"}, "The model is known to cost nothing."),
        ({"COST_STATUS": "reported"}, "The amount is the provider's own, "),
        ({"COST_STATUS": "partial"}, "A part of what was billed has no rate of its own: "),
        ({"COST_STATUS": "inconsistent"}, "The counts contradict each other: "),
        ({"COST_STATUS": "unpriced", "COST_AMOUNT": None}, "No price is known for this model: "),
        ({"COST_STATUS": "usage_missing", "COST_AMOUNT": None}, "The provider never said "),
        ({"COST_STATUS": None, "COST_AMOUNT": None}, "It failed before anything was billed."),
        ({"COST_LISTED": 0.25}, "By the price table it would have been $0.25."),
        (
            {"COST_REPORTED": 1e-7},
            "It was reported, by the provider or by another tracer, as $0.000",
        ),
        ({"COST_MATCH": "rule"}, "claude-sonnet-4-6 is listed by a rule: "),
        ({"COST_MATCH": "loose"}, "claude-sonnet-4-6 is matched loosely: "),
        ({"COST_ASSUMED": ["not_cached"]}, "It was assumed that no input came from a cache."),
        (
            {"COST_CACHE_SAVINGS": 0.5, "COST_AMOUNT": 1.25},
            "The prompt cache saved $0.5: without it the call would have cost $1.75.",
        ),
        (
            {"COST_CACHE_SAVINGS": -0.5, "COST_AMOUNT": 1.25},
            "The prompt cache cost $0.5 more than it saved: "
            "without it the call would have cost $0.75.",
        ),
    ],
)
def test_each_thing_to_know_of_a_price_has_a_sentence(given: dict[str, Any], sentence: str) -> None:
    found = price(paid(**given), None)
    assert [each for each in found["says"] if each.startswith(sentence)]
    assert (found["total"] is None) == ("COST_AMOUNT" in given and given["COST_AMOUNT"] is None)


FLAGGED = {
    names.COST_OUTLIER: (
        {
            "COST_AMOUNT": 4.232825,
            "OUTLIER_RATIO": 25.552,
            "BASELINE_P50": 0.165654,
            "BASELINE_COUNT": 41,
            "BASELINE_SOURCE": "live",
            "OUTLIER_COST_LIMIT": 0.82827,
        },
        "$4.23 is 25.6 times what doc_synthesis usually costs ($0.1657, the median of 41 calls "
        "before it); flagged above $0.8283.",
    ),
    names.COLD_THRESHOLD: (
        {"COST_AMOUNT": 0.0162, "BASELINE_COUNT": 1, "OUTLIER_COST_LIMIT": 0.005},
        "$0.0162 is above $0.005, and what doc_synthesis usually costs is not known yet, after 1 "
        "call: worth a look, and no flag by itself.",
    ),
    names.CONTEXT_GROWTH: (
        {"USAGE_INPUT_TOKENS": 75830, "OUTLIER_FIRST_INPUT": 5515, "OUTLIER_INPUT_LIMIT": 27575.0},
        "75,830 input tokens are 13.7 times the 5,515 that the first call of doc_synthesis in "
        "this run sent; flagged above 27,575.",
    ),
    names.COMPLETION_SPIKE: (
        {
            "USAGE_OUTPUT_TOKENS": 5652,
            "BASELINE_OUTPUT_P50": 459.4455,
            "OUTLIER_OUTPUT_LIMIT": 2297.2276,
        },
        "5,652 output tokens are 12.3 times the 459 that doc_synthesis usually writes; "
        "flagged above 2,297.",
    ),
    names.RETRY_STORM: (
        {"OUTLIER_FAILURES": 7, "OUTLIER_FAILURES_LIMIT": 5.0},
        "Attempts of doc_synthesis failed 7 times within a minute; flagged from 5 on.",
    ),
    names.REPEATED_PROMPT: (
        {"OUTLIER_REPEATS": 2},
        "The same prompt had been answered 2 times before in this run.",
    ),
    names.LARGE_UNCACHED_PREFIX: (
        {
            "USAGE_INPUT_TOKENS": 2600,
            "OUTLIER_STABLE_TOKENS": 2100,
            "OUTLIER_AVOIDABLE_COST": 0.00236,
            "OUTLIER_PREFIX_LIMIT": 2000.0,
        },
        "At least 2,100 of its 2,600 input tokens were as in the last prompt of doc_synthesis, and "
        "none came from a cache, which would have saved $0.00236; flagged above 2,000 input "
        "tokens.",
    ),
    names.LOW_YIELD: (
        {"USAGE_INPUT_TOKENS": 40102, "USAGE_OUTPUT_TOKENS": 596, "OUTLIER_YIELD_LIMIT": 50.0},
        "It read 40,102 tokens to write 596, 67.3 for each; flagged above 50 for each.",
    ),
}


@pytest.mark.parametrize("reason", FLAGGED)
def test_each_flag_has_its_numbers(reason: str) -> None:
    given, sentence = FLAGGED[reason]
    assert flags(paid(**given, OUTLIER_REASONS=[reason])) == [sentence]


@pytest.mark.parametrize("reason", [*FLAGGED, "a_new_one"])
def test_a_flag_without_its_numbers_has_a_sentence_too(reason: str) -> None:
    bare = dict.fromkeys((name for given, _ in FLAGGED.values() for name in given), None)
    (sentence,) = flags(paid(**bare, OUTLIER_REASONS=[reason]))
    assert len(sentence) > 30
    assert sentence.endswith(".")
    assert "None" not in sentence


@pytest.mark.parametrize("odd", [None, "cost_outlier", 7, [], [None]])
def test_reasons_of_another_shape_raise_nothing(odd: Any) -> None:
    assert isinstance(flags(paid(OUTLIER_REASONS=odd)), list)
