"""The page's numbers equal what the spans come to when they are added up by hand."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farthing_dashboards.store import Store
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page, people
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import SECOND, START_NS, call, span
from tests.dashboards.view import oracle
from tests.dashboards.view.conftest import DAYS, KEPT, Filled

LISTS = {
    "steps": "step",
    "models": "model",
    "workflows": "workflow",
    "agents": "agent",
    "features": "feature",
    "services": "service",
}
NOW_NS = START_NS + DAYS * 86_400 * SECOND


def look(filled: Filled, now_ns: int = NOW_NS, **query: str) -> dict[str, Any]:
    with filled.store.reading() as connection:
        view = page(connection, Asked.of(query), now_ns)
    json.dumps(view, allow_nan=False)
    return view


def look_at_people(filled: Filled, **query: str) -> dict[str, Any]:
    with filled.store.reading() as connection:
        return people(connection, Asked.of(query), NOW_NS)


def check(view: dict[str, Any], filled: Filled, query: dict[str, str]) -> None:
    """Every sum of a page against the spans that it asks for."""
    failed = oracle.failed_runs(filled.spans)
    calls = oracle.asked(oracle.within(filled.spans, view), query)
    oracle.agrees(view["total"], calls, failed)
    for member, what in LISTS.items():
        parts = oracle.by(calls, what)
        rows = [row for row in view[member] if row["calls"]]
        assert {row["name"] for row in rows} == parts.keys()
        for row in rows:
            oracle.agrees(row, parts[row["name"]], failed)
        assert rows == sorted(rows, key=_dearest_first)
        if calls:
            assert sum(row["share_calls"] for row in rows) == pytest.approx(1)
        if view["total"]["cost"] is not None:
            assert sum(row["share_cost"] or 0 for row in rows) == pytest.approx(1)
            assert rows[-1]["cumulative"] == 1
    _check_trend(view)
    _check_dearest(view, calls)
    wasted = defaultdict(Decimal)
    for each in calls:
        if reason := oracle.waste_of(each, failed):
            wasted[reason] += oracle.cost(each) or 0
    said = {row["reason"]: Decimal(row["cost"]) for row in view["waste"]["reasons"]}
    assert said == {reason: amount for reason, amount in wasted.items() if amount}
    assert Decimal(view["waste"]["cost"]) == sum(wasted.values())


def _dearest_first(row: dict[str, Any]) -> tuple[Decimal, int, str]:
    return -Decimal(row["cost"] or 0), -row["calls"], row["name"]


def _check_trend(view: dict[str, Any]) -> None:
    trend, total = view["trend"], view["total"]

    def add(amounts: list[str | None]) -> Decimal:
        return sum((Decimal(amount) for amount in amounts if amount is not None), Decimal(0))

    assert len(trend["at"]) <= 122
    assert trend["at"][0] == view["range"]["start"]
    assert trend["at"][-1] + view["range"]["slot_s"] * 1000 == view["range"]["end"]
    assert add(trend["cost"]) == Decimal(total["cost"] or 0)
    assert sum(trend["calls"]) == total["calls"]
    assert sum(trend["errors"]) == total["errors"]
    assert add(trend["wasted"]) == Decimal(total["wasted"])
    for index, cost in enumerate(trend["cost"]):
        assert add([step["cost"][index] for step in trend["steps"]]) == Decimal(cost or 0)


def _check_dearest(view: dict[str, Any], calls: list[Any]) -> None:
    costs = sorted((c for each in calls if (c := oracle.cost(each)) is not None), reverse=True)
    assert [Decimal(row["cost"]) for row in view["dearest"]] == costs[:20]
    by_id = {each.span_id: each for each in calls}
    for row in view["dearest"]:
        assert Decimal(row["cost"]) == oracle.cost(by_id[row["span_id"]])
        assert row["step"] == oracle.OF["step"](by_id[row["span_id"]])


def test_the_demo_equals_its_spans(demo: Filled) -> None:
    view = look(demo, demo.last_ns, since="1h")
    assert view["total"]["calls"] == 800
    check(view, demo, {})
    assert view["store"]["spans"] == len(demo.spans)
    assert [row["name"] for row in view["trust"]["tables"]] == ["genai-prices 0.2.3"]
    assert view["trust"]["tables"][0]["calls"] == 800
    assert view["trust"]["tables"][0]["age_s"] > 0


def test_the_demo_equals_the_bill(demo: Filled) -> None:
    """What the simulator charged, but for the answers that ended before they said their usage."""
    view = look(demo, demo.last_ns, since="1h")
    calls = oracle.within(demo.spans, view)
    ended = [s for s in calls if s.attributes[names.COST_STATUS] == "estimated"]
    ended_ids = {s.attributes[names.RESPONSE_ID] for s in ended}
    billed = [e for e in demo.ledger if e.cost is not None and e.response_id not in ended_ids]
    assert len(billed) + len(ended) == view["total"]["calls"]
    for row in view["steps"]:
        charged = sum((e.cost or 0 for e in billed if e.step == row["name"]), Decimal(0))
        guessed = oracle.summed(
            oracle.cost(s) for s in ended if s.attributes[names.STEP_NAME] == row["name"]
        )
        assert Decimal(row["cost"]) == charged + guessed
    guessed = oracle.summed(map(oracle.cost, ended))
    assert Decimal(view["trust"]["cost_estimated"]) == guessed
    assert Decimal(view["total"]["cost"]) == guessed + sum(e.cost or 0 for e in billed)


def test_workflows_say_what_a_completed_run_costs(demo: Filled) -> None:
    view = look(demo, demo.last_ns, since="1h")
    roots = [s for s in demo.spans if names.WORKFLOW_OUTCOME in s.attributes]
    for row in view["workflows"]:
        runs = [s for s in roots if s.attributes[names.WORKFLOW_NAME] == row["name"]]
        succeeded = [s for s in runs if s.attributes[names.WORKFLOW_OUTCOME] == "success"]
        assert (row["runs"], row["successes"]) == (len(runs), len(succeeded))
        assert row["failures"] == len(runs) - len(succeeded)
        cost = oracle.summed(oracle.usd(s, names.WORKFLOW_COST) for s in runs)
        assert Decimal(row["cost"]) == cost
        assert Decimal(row["cost_per_success"]) == (cost / len(succeeded)).quantize(oracle.PICO)
    assert all(row["failures"] for row in view["workflows"])


QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "service": st.sampled_from(("shop", "search", "", "nobody")),
        "model": st.sampled_from(("small", "large")),
        "step": st.sampled_from(("step-1", "step-2", "")),
        "workflow": st.sampled_from(("report", "brief", "")),
        "user": st.sampled_from(("ann", "bob")),
        "since": st.sampled_from(("20m", "1h", "6h", "24h", "3d", "30d", "all")),
    },
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(query=QUERIES, ago=st.integers(0, 2 * 86_400))
def test_filters_and_their_combinations_equal_filtering_by_hand(
    days: Filled, query: dict[str, str], ago: int
) -> None:
    view = look(days, NOW_NS - ago * SECOND, **query)
    check(view, days, query)
    assert view == look(days, NOW_NS - ago * SECOND, **query)
    assert view["asked"] == {name: query.get(name) for name in view["asked"]}


@pytest.mark.parametrize("query", [{}, {"service": "shop"}, {"step": "step-1", "user": "ann"}])
def test_runs_are_counted_where_they_end(days: Filled, query: dict[str, str]) -> None:
    view = look(days, since="all", **query)
    roots = [s for s in days.spans if names.WORKFLOW_OUTCOME in s.attributes]
    asked = oracle.asked(roots, {k: v for k, v in query.items() if k != "step"})
    for row in view["workflows"]:
        if not row["name"]:
            continue
        runs = [s for s in asked if s.attributes[names.WORKFLOW_NAME] == row["name"]]
        outcomes = [s.attributes[names.WORKFLOW_OUTCOME] for s in runs]
        assert row["outcomes"] == {each: outcomes.count(each) for each in set(outcomes)}
        assert row["runs"] == len(runs)
        # Cancelled runs neither succeeded nor failed, and are paid for all the same.
        assert row["failures"] == outcomes.count("failed")
        per = Decimal(row["cost"]) / outcomes.count("success")
        assert Decimal(row["cost_per_success"]) == per.quantize(oracle.PICO)
        slots = [each for each in row["trend"]["cost_per_success"] if each is not None]
        assert slots
        assert row["trend"]["at"] == view["trend"]["at"]


@pytest.mark.parametrize("query", [{}, {"since": "24h"}, {"service": "shop"}, {"user": "ann"}])
def test_people_are_those_of_the_calls(days: Filled, query: dict[str, str]) -> None:
    query = {"since": "all", **query}
    found, view = look_at_people(days, **query), look(days, **query)
    calls = oracle.asked(oracle.within(days.spans, view), query)
    for member, what in (("users", "user"), ("sessions", "session")):
        parts = oracle.by(calls, what)
        parts.pop(None, None)
        rows, others = found[member], found["others"][member]
        for row in rows:
            part = parts[row["name"]]
            expected = oracle.row(part, set())
            assert row["calls"] == expected["calls"]
            assert (row["cost"] and Decimal(row["cost"])) == expected["cost"]
            assert row["share_calls"] == len(part) / len(calls)
        assert rows == sorted(rows, key=_dearest_first)
        assert len(rows) == min(len(parts), 50)
        assert (others is None) == (len(parts) <= 50)
        if others is not None:
            assert others["names"] == len(parts) - 50
            assert others["calls"] + sum(row["calls"] for row in rows) == sum(
                map(len, parts.values())
            )
            everything = oracle.summed(oracle.cost(s) for each in parts.values() for s in each)
            assert everything == Decimal(others["cost"]) + sum(
                Decimal(row["cost"] or 0) for row in rows
            )


def test_the_trend_draws_the_six_dearest_steps_and_all_others_as_one(days: Filled) -> None:
    view = look(days, since="all")
    dearest = [row["name"] for row in view["steps"][:6]]
    assert [step["name"] for step in view["trend"]["steps"]] == [*dearest, "other"]
    few = look(days, since="all", step=dearest[0])
    assert [step["name"] for step in few["trend"]["steps"]] == dearest[:1]


def test_choices_are_all_there_is_whatever_is_asked(days: Filled) -> None:
    everything = look(days, since="all")["choices"]
    assert everything["service"] == [row["name"] for row in look(days, since="all")["services"]]
    assert set(everything["step"]) == {"", *(f"step-{index}" for index in range(9))}
    for query in ({"service": "shop"}, {"user": "ann"}, {"step": "step-1", "model": "small"}):
        assert look(days, since="all", **query)["choices"] == everything


def test_an_empty_store_has_nothing_to_say(empty: Store) -> None:
    view = look(Filled(empty, ()))
    assert view["total"]["calls"] == 0
    assert view["total"]["cost"] is view["total"]["p50_s"] is view["before"] is None
    assert view["total"]["share_calls"] is view["waste"]["share"] is None
    assert view["now"] == {"last_hour": "0", "last_day": "0", "per_hour": None}
    assert view["store"] == {"spans": 0, "calls": 0, "first": None, "last": None}
    assert view["range"]["since"] == "24h"
    assert not any(view[member] for member in (*LISTS, "dearest", "flags"))
    assert set(view["trend"]["cost"]) == {"0"}
    found = look_at_people(Filled(empty, ()))
    assert found == {"users": [], "sessions": [], "others": {"users": None, "sessions": None}}


def test_one_call(empty: Store) -> None:
    spans = [call(Random(0), {names.COST_AMOUNT: 1e-07, names.STEP_NAME: "only"})]
    empty(spans)
    view = look(Filled(empty, spans), START_NS + SECOND, since="15m")
    check(view, Filled(empty, spans), {})
    assert view["total"]["cost"] == "0.0000001"
    assert view["total"]["ratio"] == view["steps"][0]["cumulative"] == 1
    assert view["now"] == {"last_hour": "0.0000001", "last_day": "0.0000001", "per_hour": None}
    assert view["dearest"][0]["ratio"] == 1


def test_what_has_no_price_has_no_cost(empty: Store) -> None:
    unpriced = {names.COST_STATUS: "unpriced", names.COST_AMOUNT: None}
    spans = [call(Random(index), unpriced) for index in range(3)]
    empty(spans)
    view = look(Filled(empty, spans), START_NS + SECOND, since="15m")
    total = view["total"]
    assert (total["calls"], total["unpriced"], total["priced"]) == (3, 3, 0)
    assert total["cost"] is total["average_cost"] is total["share_cost"] is None
    assert view["now"]["last_hour"] is view["caching"]["without"] is None
    assert sorted(set(view["trend"]["cost"]), key=str) == ["0", None]
    assert all(row["cost"] is None and row["cumulative"] is None for row in view["steps"])
    assert view["dearest"] == []


def test_a_model_known_to_be_free_costs_0_and_not_nothing(empty: Store) -> None:
    spans = [call(Random(0), {names.COST_STATUS: "free", names.COST_AMOUNT: 0.0})]
    empty(spans)
    view = look(Filled(empty, spans), START_NS + SECOND, since="15m")
    assert view["total"]["cost"] == view["total"]["average_cost"] == "0"
    assert view["total"]["share_cost"] is None


def test_what_others_cost_is_unknown_where_none_has_a_price(empty: Store) -> None:
    priced = [call(Random(index), {names.USER_ID: f"a{index}"}) for index in range(50)]
    unpriced = {names.COST_STATUS: "unpriced", names.COST_AMOUNT: None}
    others = [call(Random(100 + i), {**unpriced, names.USER_ID: f"b{i}"}) for i in range(3)]
    empty([*priced, *others])
    found = look_at_people(Filled(empty, ()), since="all")
    assert len(found["users"]) == 50
    assert all(row["cost"] is not None for row in found["users"])
    others_row = found["others"]["users"]
    assert (others_row["names"], others_row["calls"], others_row["cost"]) == (3, 3, None)


def test_before_is_the_same_length_of_time_before(days: Filled) -> None:
    view = look(days, since="24h")
    length = (view["range"]["end"] - view["range"]["start"]) * 10**6
    start = view["range"]["start"] * 10**6
    earlier = [s for s in days.spans if oracle.is_call(s) and start - length <= s.start_ns < start]
    assert view["before"]["calls"] == len(earlier) > 100
    assert Decimal(view["before"]["cost"]) == oracle.summed(map(oracle.cost, earlier))
    # Two days ago the store had not begun: there is nothing whole to compare with.
    assert look(days, since="48h")["before"] is None
    assert look(days, since="all")["before"] is None


def test_spend_now_is_of_the_last_hour_and_day(days: Filled) -> None:
    now_ns = NOW_NS - 86_400 * SECOND + 59 * SECOND
    view = look(days, now_ns, since="30d")
    minute = now_ns // (60 * SECOND) * 60 * SECOND + 60 * SECOND
    for name, length in (("last_hour", 3600), ("last_day", 86_400)):
        spent = oracle.summed(
            oracle.cost(s)
            for s in days.spans
            if oracle.is_call(s) and minute - length * SECOND <= s.start_ns < minute
        )
        assert Decimal(view["now"][name] or 0) == spent
    hours = (now_ns / 10**6 - view["store"]["first"] // 1000 * 1000) / 3.6e6
    per_hour = float(view["total"]["cost"]) / hours
    assert float(view["now"]["per_hour"]) == pytest.approx(per_hour)


def test_a_run_without_calls_is_a_run(tmp_path: Path) -> None:
    root = {
        names.WORKFLOW_NAME: "cached",
        names.WORKFLOW_ID: "1",
        names.WORKFLOW_OUTCOME: "success",
    }
    with Store(tmp_path / "s.db", keep_days=KEPT) as store:
        store([span(Random(0), attributes=root)])
        filled = Filled(store, ())
        (row,) = look(filled, START_NS + 2 * SECOND, since="15m")["workflows"]
        assert (row["runs"], row["calls"], row["cost"], row["cost_per_success"]) == (
            1,
            0,
            None,
            None,
        )
        assert look(filled, START_NS + 2 * SECOND, since="15m", model="m")["workflows"] == []
