"""Workflows: what a completed one costs, with what those cost that failed on the way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from farthing_dashboards.store.sums import SECOND
from farthing_dashboards.view.money import each, usd
from farthing_dashboards.view.reading import View, added, together
from farthing_dashboards.view.rows import All, Part, dearest_first
from farthing_dashboards.view.rows import rows as plain_rows
from farthing_dashboards.view.trends import Spend, Trend
from farthing_processor.runs import FAILED, SUCCESS


class _Runs(NamedTuple):
    outcomes: Counter[str]
    successes: Counter[int]
    """By slot."""


def rows(view: View, parts: Sequence[Part], all_: All, trend: Trend) -> list[dict[str, Any]]:
    """A row a workflow, the dearest first: those whose runs ended in this time, or made calls.

    Runs are of a service, a workflow and a user, and not of a model or a step: with one of these
    asked for, the cost per success is what it adds to a completed run, and a workflow has a row
    where it made such calls.
    """
    runs = _runs(view)
    found = {part.name: part for part in parts}
    if view.asked.model is None and view.asked.step is None:
        for name in runs.keys() - found.keys():
            found[name] = Part(name, added(()), together(()))
    listed = sorted(found.values(), key=lambda part: dearest_first(part.name, part.sums))
    nothing = _Runs(Counter(), Counter())
    return [
        {**row, **_ends(part, runs.get(part.name, nothing), trend)}
        for part, row in zip(listed, plain_rows(listed, all_), strict=True)
    ]


def _ends(part: Part, runs: _Runs, trend: Trend) -> dict[str, Any]:
    outcomes = runs.outcomes
    spend = Spend(*(part.sums[name] for name in Spend._fields))
    slots: Mapping[int, Spend] = trend.workflows.get(part.name, {})
    return {
        "runs": outcomes.total(),
        "successes": outcomes[SUCCESS],
        "failures": outcomes[FAILED],
        "outcomes": dict(sorted(outcomes.items(), key=lambda item: (-item[1], item[0]))),
        "cost_per_success": _per_success(spend, outcomes[SUCCESS]),
        "trend": {
            "at": trend.at(),
            "cost_per_success": [
                _per_success(slots.get(start), runs.successes[start]) for start in trend.starts
            ],
        },
    }


def _per_success(spend: Spend | None, successes: int) -> str | None:
    """None where nothing is known of the cost, or nothing came of it."""
    return usd(each(spend.cost, successes)) if spend is not None and spend.priced else None


def _runs(view: View) -> dict[str, _Runs]:
    """How runs ended, by workflow."""
    window, slot, asked = view.window(), view.period.slot, view.asked
    whose = "" if window.user is None else " AND user = :user"
    found: dict[str, _Runs] = defaultdict(lambda: _Runs(Counter(), Counter()))
    for start, workflow, outcome, service, runs in view.connection.execute(
        f"SELECT at / ({SECOND} * {slot:d}) * {slot:d}, workflow, outcome, service, count(*) "
        f"FROM runs WHERE at >= :start * {SECOND} AND at < :end * {SECOND}{whose} "
        "GROUP BY 1, 2, 3, 4",
        window._asdict(),
    ):
        if asked.service not in (None, service) or asked.workflow not in (None, workflow):
            continue
        found[workflow].outcomes[outcome] += runs
        if outcome == SUCCESS:
            found[workflow].successes[start] += runs
    return dict(found)
