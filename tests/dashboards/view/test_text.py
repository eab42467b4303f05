"""The view as text, word by word: what `farthing demo` and `farthing report` print."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from farthing_dashboards.otlp import Span
from farthing_dashboards.store import Store
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page, people
from farthing_dashboards.view.text import as_text, in_brief
from farthing_processor import semconv as names
from tests.dashboards.store import agent_spans
from tests.dashboards.store.agent_spans import SECOND, START_NS, span
from tests.dashboards.view.conftest import KEPT

RANDOM = Random(11)
NOW_NS = START_NS + 2 * SECOND


def call(
    step: str = "plan",
    cost: float | None = 0.1,
    status: str = "priced",
    sent: int | None = 10,
    received: int | None = 5,
    **attributes: Any,
) -> Span:
    said = {
        names.STEP_NAME: step,
        names.COST_AMOUNT: cost,
        names.COST_STATUS: status,
        names.USAGE_INPUT_TOKENS: sent,
        names.USAGE_OUTPUT_TOKENS: received,
        names.RESPONSE_MODEL: "m",
    }
    return agent_spans.call(RANDOM, said | attributes)


def outlier(step: str, cost: float, usual: float | None = 0.01, *more: str, **said: Any) -> Span:
    flagged = {
        names.OUTLIER_DETECTED: True,
        names.OUTLIER_REASONS: ["cost_outlier", *more],
        names.BASELINE_P50: usual,
    }
    return call(step, cost, **flagged | said)


def root(workflow: str = "report", outcome: str = "success", id: str = "1") -> Span:
    ran = {
        names.WORKFLOW_NAME: workflow,
        names.WORKFLOW_ID: id,
        names.WORKFLOW_OUTCOME: outcome,
    }
    return span(RANDOM, attributes=ran)


def view_of(path: Path, *spans: Span, forget: bool = False) -> dict[str, Any]:
    asked = Asked.of({"since": "all"})
    with Store(path / "store.db", keep_days=KEPT) as store:
        store(spans)
        if forget:
            store._connection.execute("DELETE FROM chunks")  # as retention does when space is short
        with store.reading() as connection:
            return page(connection, asked, NOW_NS) | people(connection, asked, NOW_NS)


STEPS = """\
step                 calls  avg in  avg out    avg cost  of calls  of spend      spend  outliers
------------------------------------------------------------------------------------------------
doc_synthesis            3  42,800    1,240  $0.2500000     60.0%    100.0%  $0.750000         -
embed_query              1      64        0  $0.0000083     20.0%      0.0%  $0.000008         -
a step with a ve...      1      10        5           -     20.0%         -          -         -
------------------------------------------------------------------------------------------------
total                    5  25,695      745  $0.1875021    100.0%    100.0%  $0.750008         -

Not priced: 1 of 5 calls. Unknown is not $0.
"""


def test_the_table_of_steps(tmp_path: Path) -> None:
    """With one model, no workflow and nothing out of the ordinary there is no more to say."""
    view = view_of(
        tmp_path,
        *(call("doc_synthesis", 0.25, sent=42_800, received=1_240) for _ in range(3)),
        call("embed_query", 0.00000832, sent=64, received=None),
        call("a step with a very long name indeed", None, "unpriced"),
    )
    assert in_brief(view) == STEPS


EVERYTHING = """\
step   calls  avg in  avg out    avg cost  of calls  of spend      spend  outliers
----------------------------------------------------------------------------------
draft      3      10        5  $1.0333333     60.0%     96.9%  $3.100000         1
plan       2      10        5  $0.0500000     40.0%      3.1%  $0.100000         1
----------------------------------------------------------------------------------
total      5      10        5  $0.6400000    100.0%    100.0%  $3.200000         2

workflow  runs  succeeded  failed      spend  cost per success
--------------------------------------------------------------
report       2          2       0  $3.080000         $1.540000
brief        1          0       1  $0.120000                 -
idle         1          1       0          -                 -

waste                spend  of spend
-----------------------------------------------------------------------------
workflow_failed  $0.120000      3.8%  the rest of what failed workflows spent
repeated         $0.080000      2.5%  the same asked again in one run
-----------------------------------------------------------------------------
total            $0.200000      6.2%

flagged           calls
--------------------------------------------------------------------
cost_outlier          2  cost far more than their step usually does
completion_spike      1  wrote far more than their step usually does

Dearest outlier: draft, one call of $3.000000, 300.0 times the usual $0.010000.
Dearest model: big-1, 20.0% of the calls and 93.8% of the spend.
Prompt cache: saved $0.250000; without it the spend would be $3.450000.
Prompt cache: $0.400000 more could have been saved.
Estimated: $0.020000 of the spend, for 1 call that ended before the usage was reported.
"""


def everything() -> list[Span]:
    report, brief = (
        {names.WORKFLOW_NAME: name, names.WORKFLOW_ID: id}
        for name, id in (("report", "1"), ("brief", "3"))
    )
    repeated = {names.WASTE_REASON: "repeated", names.OUTLIER_AVOIDABLE_COST: 0.4}
    saved, lost = ({names.COST_CACHE_SAVINGS: usd} for usd in (0.3, -0.05))
    # Marked because its step has no median yet: no outlier.
    cold = {names.OUTLIER_REASONS: ["cold_threshold"]}
    big = {names.RESPONSE_MODEL: "big-1"}
    return [
        outlier("draft", 3.0, 0.01, "completion_spike", **big, **report),
        call("draft", 0.08, **saved, **repeated, **report),
        call("draft", 0.02, "estimated", **lost, **brief),
        outlier("plan", 0.09, **brief),
        call("plan", 0.01, **cold, **brief),
        root("report", id="1"),
        root("report", id="2"),
        root("brief", "failed", "3"),
        root("idle", id="4"),
    ]


def test_everything_that_is_said_in_brief(tmp_path: Path) -> None:
    assert in_brief(view_of(tmp_path, *everything())) == EVERYTHING


def test_all_text_is_the_brief_one_with_more_around_it(tmp_path: Path) -> None:
    text = as_text(view_of(tmp_path, *everything()))
    tables, sentences = EVERYTHING.split("\n\nDearest outlier")
    assert text.startswith("$3.200000 for 5 calls from ")
    assert f"\n\n{tables}\n\nmodel " in text
    assert text.endswith(
        f"\n\nDearest outlier{sentences}Price table: genai-prices 0.2.3, for 5 calls.\n"
    )
    for heading in ("p50", "service", "dearest call of"):
        assert f" {heading}" in text or f"\n{heading}" in text


def test_the_dearest_outlier_is_the_dearest_whatever_costs_more(tmp_path: Path) -> None:
    """The dearest call is none, neither is the dearest of its step; and its median is the one that
    it was compared with."""
    odd = outlier("a", 0.2, 0.04), outlier("b", 0.5, 0.05)
    view = view_of(tmp_path, call(cost=9.0), call("b", 0.7), *odd)
    assert "Dearest outlier: b, one call of $0.500000, 10.0 times the usual $0.050000." in (
        in_brief(view)
    )
    assert (view["outlier"]["step"], view["outlier"]["ratio"]) == ("b", 10)
    assert view["dearest"][0]["step"] == "plan"


@pytest.mark.parametrize(("usual", "forget"), [(0.05, True), (None, False), (0.0, False)])
def test_an_outlier_whose_median_nobody_knows_any_more(
    tmp_path: Path, usual: float | None, forget: bool
) -> None:
    view = view_of(tmp_path, outlier("a", 0.5, usual), forget=forget)
    assert view["outlier"]["usual"] is view["outlier"]["ratio"] is None
    assert "Dearest outlier: a, one call of $0.500000.\n" in in_brief(view)


def test_the_dearest_model_is_the_one_whose_calls_cost_most(tmp_path: Path) -> None:
    often = [call(cost=0.1, **{names.RESPONSE_MODEL: "often"}) for _ in range(90)]
    seldom = [call(cost=0.5, **{names.RESPONSE_MODEL: "seldom"}) for _ in range(10)]
    view = view_of(tmp_path, *often, *seldom)
    assert "Dearest model: seldom, 10.0% of the calls and 35.7% of the spend." in in_brief(view)
    assert [model["name"] for model in view["models"]] == ["often", "seldom"]


def test_a_cache_that_costs_more_than_it_saves_says_so(tmp_path: Path) -> None:
    text = in_brief(view_of(tmp_path, call(cost=1.0, **{names.COST_CACHE_SAVINGS: -0.2})))
    assert "cost $0.200000 more than it saved; without it the spend would be $0.800000." in text


def test_what_has_no_price_has_no_amount_anywhere(tmp_path: Path) -> None:
    unknown = call(cost=None, status="usage_missing", sent=None, received=None)
    view = view_of(tmp_path, unknown, root())
    assert view["total"]["average_input"] is view["total"]["average_output"] is None
    for text in (in_brief(view), as_text(view)):
        assert text.count("$") == text.count("Unknown is not $0.") == 1
        assert "Not priced: 1 of 1 call." in text
        assert "waste" not in text
    assert as_text(view).startswith("Unknown spend for 1 call from ")


def test_calls_that_nobody_named(tmp_path: Path) -> None:
    nameless = {names.RESPONSE_MODEL: None, names.REQUEST_MODEL: None}
    view = view_of(tmp_path, outlier("", 0.5, **nameless), call(cost=0.1))
    lines = in_brief(view).splitlines()
    assert lines[2].split()[:2] == ["(none)", "1"]
    assert "Dearest outlier: (none), one call of $0.500000, 50.0 times" in in_brief(view)
    assert "Dearest model: (none), 50.0% of the calls" in in_brief(view)


def test_the_tables_fit_100_columns(tmp_path: Path) -> None:
    run = {names.WORKFLOW_NAME: "x" * 99, names.WORKFLOW_ID: "1"}
    who = {names.USER_ID: "u" * 99, names.AGENT_NAME: "a" * 99, names.SESSION_ID: "s" * 99}
    dear = {"sent": 999_999, "received": 999_999, **run, **who, names.WASTE_REASON: "repeated"}
    view = view_of(
        tmp_path,
        *(call("x" * 99, 99.5, **dear) for _ in range(1_100)),
        root("x" * 99),
        outlier("y" * 99, 99.0, 0.001),
        call("z", 0.01, **{names.RESPONSE_MODEL: "z" * 99}),
    )
    for text in (in_brief(view), as_text(view)):
        assert max(map(len, text.splitlines())) <= 100
    assert "$109,549.01" in as_text(view)
