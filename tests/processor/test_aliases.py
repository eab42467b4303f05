"""The cost under backends' own names: which, of what, and of no call without an amount."""

from __future__ import annotations

import decimal

import pytest

from farthing_processor import aliases, semconv, settings
from farthing_processor.aliases import BACKENDS
from farthing_processor.assessment import Assessment, AttributeValue

CLASSES = {"input": 0.1, "cache_read": 0.2, "cache_write": 0.4, "output": 1e-7, "tools": 0.01}
PRICED = Assessment(0.7100001, "priced", CLASSES, (), {"gen_ai.usage.cost.amount": 0.7100001})

OPENINFERENCE = {
    "llm.cost.total": 0.7100001,
    "llm.cost.prompt": 0.7,
    "llm.cost.completion": 1e-7,
    "llm.cost.prompt_details.cache_read": 0.2,
    "llm.cost.prompt_details.cache_write": 0.4,
}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ([], {}),
        (["langfuse"], {"gen_ai.usage.cost": 0.7100001}),
        (["openlit"], {"gen_ai.usage.cost": 0.7100001}),
        (["logfire"], {"operation.cost": 0.7100001}),
        (["openinference"], OPENINFERENCE),
        (
            list(BACKENDS),
            {"gen_ai.usage.cost": 0.7100001, "operation.cost": 0.7100001, **OPENINFERENCE},
        ),
    ],
)
def test_each_backends_names(chosen: list[str], said: dict[str, float]) -> None:
    assert aliases.of(PRICED, chosen) == said


def test_sums_are_exact_whatever_arithmetic_the_application_has() -> None:
    assert sum([0.1, 0.2, 0.4]) != 0.7
    with decimal.localcontext() as context:
        context.prec = 1
        assert aliases.of(PRICED, ["openinference"])["llm.cost.prompt"] == 0.7


def test_a_cost_that_is_not_made_of_classes_has_only_a_total() -> None:
    reported = Assessment(0.5, "reported", {}, (), {})
    assert aliases.of(reported, ["openinference"]) == {"llm.cost.total": 0.5}


def test_free_is_0_and_unknown_is_nothing() -> None:
    free = Assessment(0.0, "free", {}, (), {})
    assert aliases.of(free, BACKENDS) == {
        "gen_ai.usage.cost": 0.0,
        "operation.cost": 0.0,
        "llm.cost.total": 0.0,
    }
    unpriced = Assessment(None, "unpriced", {}, (), {})
    assert aliases.of(unpriced, BACKENDS) == {}
    attributes: dict[str, AttributeValue] = {"farthing.cost.status": "unpriced"}
    aliases.add(attributes, unpriced, BACKENDS)
    assert attributes == {"farthing.cost.status": "unpriced"}


def _namespaces(names: set[str]) -> set[tuple[str, str]]:
    return {(one, other) for one in names for other in names if other.startswith(one + ".")}


def test_no_name_on_a_span_is_the_namespace_of_another() -> None:
    every = {
        value
        for name, value in vars(semconv).items()
        if name.isupper() and name != "SCHEMA_URL" and isinstance(value, str) and "." in value
    }
    every -= {semconv.COST_CLASS_PREFIX, semconv.TAG_PREFIX}
    every |= {semconv.COST_CLASS_PREFIX + name for name in semconv.COST_CLASSES}
    assert every >= {name for names in BACKENDS.values() for name in names}
    proposed = {f"gen_ai.usage.cost.{name}" for name in ("amount", "currency", "source")}
    assert _namespaces(every) == {("gen_ai.usage.cost", name) for name in proposed}
    attributes: dict[str, AttributeValue] = dict.fromkeys(every - {"gen_ai.usage.cost"}, 1.0)
    aliases.add(attributes, PRICED, BACKENDS)
    assert attributes.keys() == every - proposed
    assert _namespaces(set(attributes)) == set()


def test_the_amount_stays_where_its_name_would_not() -> None:
    attributes: dict[str, AttributeValue] = {
        "gen_ai.usage.cost.amount": 0.7100001,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "farthing.cost.status": "priced",
    }
    kept = dict(attributes)
    aliases.add(attributes, PRICED, ["logfire"])
    assert attributes == {**kept, "operation.cost": 0.7100001}
    aliases.add(attributes, PRICED, ["langfuse"])
    assert attributes == {
        "farthing.cost.status": "priced",
        "farthing.cost.amount": 0.7100001,
        "gen_ai.usage.cost": 0.7100001,
        "operation.cost": 0.7100001,
    }


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("langfuse", {"langfuse"}),
        (" Langfuse , OPENLIT,", {"langfuse", "openlit"}),
        (["logfire", "openinference"], {"logfire", "openinference"}),
        (",", set()),
    ],
)
def test_choosing(value: object, parsed: set[str]) -> None:
    found, problems = settings.load({"cost_aliases": value}, {})
    assert (found.cost_aliases, problems) == (parsed, [])


def test_none_is_chosen_unless_asked() -> None:
    assert settings.load({}, {})[0].cost_aliases == frozenset()


@pytest.mark.parametrize("value", ["phoenix", "langfuse,datadog", "gen_ai.usage.cost"])
def test_a_name_that_is_not_known(value: str) -> None:
    found, problems = settings.load({}, {"FARTHING_COST_ALIASES": value})
    assert found.cost_aliases == frozenset()
    assert problems == [
        f"FARTHING_COST_ALIASES={value!r} is not usable: use langfuse, logfire, openinference, "
        "openlit, separated by commas; Phoenix and Datadog have none, as the README says. "
        "It is ignored."
    ]


def test_what_is_no_text_is_refused() -> None:
    (problem,) = settings.load({"cost_aliases": 3}, {})[1]
    assert "separated by commas" in problem
