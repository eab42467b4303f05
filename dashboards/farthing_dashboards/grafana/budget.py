"""The rules of a daily budget: its amount as a series, what was spent of it, and three alerts.

A day is the last 24 hours, at every moment, and not since midnight. At midnight a runaway would get
a new budget and its alert would go silent, and twice the budget could go in the two hours around it
unnoticed. What is spent leaves the sum after 24 hours, whatever the time zone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from farthing_dashboards.grafana.names import Naming, series
from farthing_dashboards.grafana.recordings import SERVICE, counted
from farthing_dashboards.grafana.rule_file import Alert, Group, Recording, Severity, written
from farthing_processor import metrics

LIMIT: Final = "farthing:budget_usd:day"
SPENT: Final = Recording(
    "farthing:service_spend_usd:increase1d",
    "What each service spent in the last 24 hours.",
    counted(series(metrics.COST, "sum"), "", "1d", SERVICE),
)
SHARE: Final = Recording(
    "farthing:budget_spent:ratio",
    "What all services together spent of it.",
    f"sum ({SPENT.record}) / {LIMIT}",
)

_LEVELS: Final[tuple[tuple[int, int | None, Severity, str], ...]] = (
    (70, 100, "info", "At this rate it may not last."),
    (100, 120, "warning", "It is used up; nothing stops the calls unless a limit of yours does."),
    (120, None, "critical", "Where a limit of yours should have stopped the calls, it did not."),
)
"""From which share (%), up to which other, how bad, what it means. One at a time fires."""


def budget_rules(daily_usd: Decimal, naming: Naming = "suffixed") -> str:
    """The text of a rule file for a budget of so many USD in any 24 hours.

    The budget is for all services that this Prometheus sees together.

    Raises:
        ValueError: not an amount above 0.
    """
    if not (daily_usd.is_finite() and daily_usd > 0):
        raise ValueError(
            f"A daily budget is an amount of USD above 0, such as 250; not {daily_usd}."
        )
    limit = Recording(LIMIT, "The daily budget, in USD.", f"vector({daily_usd:f})")
    rules = (limit, SPENT, SHARE, *(_alert(*level) for level in _LEVELS))
    head = "# The daily budget, written by `farthing dashboards export --daily-budget`.\n"
    return head + written((Group("farthing-budget", "5m", rules),), naming)


def _alert(percent: int, below: int | None, severity: Severity, meaning: str) -> Alert:
    share = SHARE.record
    return Alert(
        f"FarthingBudget{percent}",
        f"Is {percent} % of the daily budget spent?",
        measure=f"{share}",
        when=f">= {percent / 100}",
        guards=(f"and {share} < {below / 100}",) if below else (),
        after="5m",
        severity=severity,
        summary="{{ $value | humanizePercentage }} of the daily LLM budget is spent",
        description=(
            "All services together spent {{ $value | humanizePercentage }} of the daily budget "
            f"(USD, {LIMIT}) in the last 24 hours. {meaning}"
        ),
    )
