"""How often "more than 5 times the median of the step" errs, as the median is only measured.

The same rule with the distribution's true median is the judge: a false positive is flagged by the
measured median alone, a false negative by the true one alone. Twenty steps with lognormal cost,
whose spread (sigma) and median differ, and a fixed seed.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import pytest

from farthing_processor.baselines import Baselines

pytestmark = pytest.mark.slow

FACTOR = 5
STEPS = 20
CALLS = 1_000_000
DAYS = 25
"""2,000 calls of a step a day: its median is of 2,000 to 4,000."""
LIVES = 500
LIFE = 130
"""Young steps: the first hundred calls that have a median, which is of 30 to 129."""
SEED = 2026
START = 20_000 * 24 * 3600 * 10**9
DAY = 24 * 3600 * 10**9


class Step(NamedTuple):
    """The distribution of a step's cost, USD."""

    name: str
    sigma: float
    median: float


class Rates:
    """What became of the calls of one step that were judged."""

    def __init__(self) -> None:
        self.judged = self.outliers = self.false_positives = self.false_negatives = 0

    def judge(self, step: Step, p50: float, cost: float) -> None:
        flagged, true = cost > FACTOR * p50, cost > FACTOR * step.median
        self.judged += 1
        self.outliers += true
        self.false_positives += flagged and not true
        self.false_negatives += true and not flagged

    def percent(self, count: int) -> float:
        return 100 * count / self.judged


TWENTY = [
    Step(f"step {n:2}", 0.3 + 1.2 * n / (STEPS - 1), 10 ** (-4.5 + 4 * (n * 7 % STEPS) / STEPS))
    for n in range(STEPS)
]
"""Sigmas from 0.3 to 1.5, medians from 0.00003 to 0.2 USD, in no order."""


def table(title: str, rates: dict[Step, Rates]) -> str:
    lines = [
        title,
        f"{'':8}{'sigma':>6}{'median USD':>12}{'calls':>8}"
        f"{'outliers':>10}{'false pos.':>12}{'false neg.':>12}",
    ]
    for step, rate in rates.items():
        shares = map(rate.percent, (rate.outliers, rate.false_positives, rate.false_negatives))
        outliers, positives, negatives = (f"{share:.3f} %" for share in shares)
        lines.append(
            f"{step.name:8}{step.sigma:6.2f}{step.median:12.6f}{rate.judged:8}"
            f"{outliers:>10}{positives:>12}{negatives:>12}"
        )
    return "\n".join(lines)


def old_steps() -> dict[Step, Rates]:
    """A million calls over `DAYS`."""
    draw = random.Random(SEED)
    rates = {step: Rates() for step in TWENTY}
    baselines = Baselines()
    for call in range(CALLS):
        step = TWENTY[call % STEPS]
        cost = draw.lognormvariate(math.log(step.median), step.sigma)
        now_ns = START + call * DAYS * DAY // CALLS
        said = baselines.observe("shop", step.name, now_ns, cost, 1000, 200)
        if said.cost is not None:
            rates[step].judge(step, said.cost, cost)
    return rates


def young_steps() -> dict[Step, Rates]:
    """`LIVES` first hundred calls of each."""
    draw = random.Random(SEED)
    rates = {step: Rates() for step in TWENTY}
    for step in TWENTY:
        for life in range(LIVES):
            baselines = Baselines()
            for call in range(LIFE):
                cost = draw.lognormvariate(math.log(step.median), step.sigma)
                said = baselines.observe("shop", step.name, START + life, cost, 1000, 200)
                assert (said.cost is None) == (call < 30)
                if said.cost is not None:
                    rates[step].judge(step, said.cost, cost)
    return rates


def test_the_measured_median_judges_nearly_as_the_true_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, young = old_steps(), young_steps()
    with capsys.disabled():
        print()
        print(table(f"{CALLS:,} calls of {STEPS} steps over {DAYS} days", old))
        print()
        print(table(f"Calls 31 to {LIFE} of a step, {LIVES} times", young))
    assert sum(rate.judged for rate in old.values()) == CALLS - STEPS * 30
    assert sum(rate.judged for rate in young.values()) == STEPS * LIVES * (LIFE - 30)
    expect(old, false_positives=0.5, false_negatives=0.4, overall=0.25)
    expect(young, false_positives=2.0, false_negatives=1.5, overall=1.3)


def expect(
    rates: dict[Step, Rates], *, false_positives: float, false_negatives: float, overall: float
) -> None:
    """No step errs in more than so many percent of its calls, nor all of them together."""
    for step, rate in rates.items():
        assert rate.percent(rate.false_positives) < false_positives, step
        assert rate.percent(rate.false_negatives) < false_negatives, step
        # Where there are few outliers, most of those that are flagged are some.
        assert rate.false_positives <= 5 + rate.outliers / 3, step
        assert rate.false_negatives <= 5 + rate.outliers / 5, step
    errors = sum(rate.false_positives + rate.false_negatives for rate in rates.values())
    assert 100 * errors / sum(rate.judged for rate in rates.values()) < overall
