"""What the dashboards ask about: the catalogue's quantities, each of them countable by labels.

Spend is known cost: what has no price has no spend, and is counted as unpriced.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from farthing_dashboards.grafana.names import ENVIRONMENT, SERVICE, label, series
from farthing_dashboards.grafana.promql import (
    equals,
    grown,
    less,
    or_zero,
    plus,
    rate,
    share,
    share_of_all,
)
from farthing_processor import metrics, runs, semconv

WHERE: Final = f'{SERVICE}=~"$service", {label(ENVIRONMENT)}=~"$environment"'
"""What the variables of a dashboard select."""
RANGE: Final = "$__range"
HOUR: Final = "1h"
"""The window of what is too sparse for Grafana's rate interval: money, workflows, flags."""
RANGE_S: Final = "$__range_s"
RATE: Final = "$__rate_interval"


class Quantity(NamedTuple):
    """A counter, or a part of a histogram, as far as the variables select it."""

    series: str
    also: str = ""
    """What else its series must match."""

    @property
    def where(self) -> str:
        return f"{WHERE}, {self.also}" if self.also else WHERE

    def by(self, *labels: str, window: str = RANGE) -> str:
        """How much there was in the window: the time range, if nothing is said."""
        return grown(self.series, self.where, window, labels)

    def hourly(self, *labels: str) -> str:
        """How much there was in the hour before."""
        return self.by(*labels, window=HOUR)

    def a_second(self, *labels: str) -> str:
        return rate(self.series, self.where, RATE, labels)


SPEND: Final = Quantity(series(metrics.COST, "sum"))
PRICED: Final = Quantity(series(metrics.COST, "count"))
UNPRICED: Final = Quantity(series(metrics.UNPRICED))
REQUESTS: Final = Quantity(series(metrics.OPERATION_DURATION, "count"))
"""Calls that farthing timed: of those that only other tracers saw, it leaves that to them."""
ERRORS: Final = REQUESTS._replace(also=f'{label(semconv.ERROR_TYPE)}!=""')
LATENCIES: Final = Quantity(series(metrics.OPERATION_DURATION, "bucket"))
FIRST_CHUNKS: Final = Quantity(series(metrics.TIME_TO_FIRST_CHUNK, "bucket"))
TOKENS: Final = Quantity(series(metrics.TOKEN_USAGE, "sum"))
TOKEN_INPUT: Final = equals(semconv.TOKEN_TYPE, "input")
TOKEN_OUTPUT: Final = equals(semconv.TOKEN_TYPE, "output")
TOKEN_CALLS: Final = Quantity(series(metrics.TOKEN_USAGE, "count"))
WASTE: Final = Quantity(series(metrics.WASTE))
OUTLIERS: Final = Quantity(series(metrics.OUTLIERS))
RETRIES: Final = Quantity(series(metrics.RETRIES))
RUNS: Final = Quantity(series(metrics.WORKFLOWS))
SUCCESSES: Final = RUNS._replace(also=equals(semconv.WORKFLOW_OUTCOME, runs.SUCCESS))
RUN_COST: Final = Quantity(series(metrics.WORKFLOW_COST, "sum"))
RUNS_WITH_COST: Final = Quantity(series(metrics.WORKFLOW_COST, "count"))
SAVINGS: Final = Quantity(series(metrics.CACHE_SAVINGS))
SURCHARGES: Final = Quantity(series(metrics.CACHE_SURCHARGES))
DISAGREEMENTS: Final = Quantity(series(metrics.DISAGREEMENTS))
ASSUMED: Final = Quantity(series(metrics.ASSUMED))
PRICES_AGE: Final = f"{series(metrics.PRICES_AGE)}{{{WHERE}}}"


def calls(*labels: str, window: str = RANGE) -> str:
    """Calls that may have cost money, whoever saw them: those with a price and those without."""
    return plus(PRICED.by(*labels, window=window), UNPRICED.by(*labels, window=window))


def of_calls(*labels: str) -> str:
    """The share of each in all calls."""
    return share_of_all(calls(*labels), calls())


def of_spend(quantity: Quantity, *labels: str) -> str:
    """What each is of all spend."""
    return share_of_all(quantity.by(*labels), SPEND.by())


def of_any_calls(part: Quantity) -> str:
    """How many of a part there were; 0 where there were only other calls."""
    return or_zero(part.by(), calls())


def counted_of(part: Quantity, whole: Quantity, *labels: str) -> str:
    """How many of a part there were; 0 where there was only the rest of the whole."""
    return or_zero(part.by(*labels), whole.by(*labels))


def times_its_volume(*labels: str) -> str:
    """The share of spend over the share of calls."""
    return share(of_spend(SPEND, *labels), of_calls(*labels))


def average_cost(*labels: str) -> str:
    """USD of a call that has a price."""
    return share(SPEND.by(*labels), PRICED.by(*labels))


def average_tokens(kind: str, *labels: str) -> str:
    """Tokens of a call that reported any; ``kind`` is `TOKEN_INPUT` or `TOKEN_OUTPUT`."""
    return share(
        TOKENS._replace(also=kind).by(*labels), TOKEN_CALLS._replace(also=kind).by(*labels)
    )


def output_share() -> str:
    """The share of output in all tokens."""
    return share(TOKENS._replace(also=TOKEN_OUTPUT).by(), TOKENS.by())


def error_rate(*labels: str) -> str:
    """The share of requests that failed."""
    return share(counted_of(ERRORS, REQUESTS, *labels), REQUESTS.by(*labels))


def success_rate(*labels: str) -> str:
    """The share of runs that succeeded, of all that ended."""
    return share(counted_of(SUCCESSES, RUNS, *labels), RUNS.by(*labels))


def cost_per_success(*labels: str, window: str = RANGE) -> str:
    """USD of all runs, failed ones too, over the runs that succeeded."""
    return share(RUN_COST.by(*labels, window=window), SUCCESSES.by(*labels, window=window))


def waste_share(window: str = RANGE) -> str:
    """The share of spend that bought nothing."""
    spend = SPEND.by(window=window)
    return share(or_zero(WASTE.by(window=window), spend), spend)


def provider_share() -> str:
    """The share of the spend that the provider reported itself."""
    reported = SPEND._replace(also=equals(semconv.COST_SOURCE, semconv.SOURCE_PROVIDER))
    return share(counted_of(reported, SPEND), SPEND.by())


def unpriced_share(*labels: str, window: str = RANGE) -> str:
    """The share of calls that may have cost money and have no amount, in those and the priced."""
    unpriced = UNPRICED.by(*labels, window=window)
    whole = calls(*labels, window=window)
    return share(or_zero(unpriced, whole), whole)


def cache_worth(*labels: str, window: str = RANGE) -> str:
    """USD that the prompt cache saved, less what it cost more where it did."""
    return less(SAVINGS.by(*labels, window=window), SURCHARGES.by(*labels, window=window))
