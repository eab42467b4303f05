"""Trust: what the numbers of the other dashboards leave out, assume, or disagree about."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from farthing_dashboards.grafana.boards import quantities as q
from farthing_dashboards.grafana.boards import rows
from farthing_dashboards.grafana.boards.layout import board
from farthing_dashboards.grafana.boards.panels import (
    COUNT,
    SECONDS,
    SHARE,
    USD,
    Column,
    series,
    stat,
    table,
    text,
)
from farthing_dashboards.grafana.boards.shared import (
    calls_without_price,
    price_table_age,
    unpriced_share,
)
from farthing_dashboards.grafana.boards.traceql import explore, spans
from farthing_dashboards.grafana.names import label
from farthing_processor import semconv

_PRICED: Final = "Every call has a price in this time range, or none was made."
_AGREED: Final = "Nobody reported a cost that differs from ours by more than 1 %."
_ASSUMED: Final = "Nothing had to be assumed in this time range."
_STATUSES: Final = {
    "estimated": "calls whose usage never came and was estimated",
    "inconsistent": "calls whose counts contradict each other",
    "partial": "calls of which a part has no price",
}
"""Of ``farthing.cost.status``: those that no metric tells apart."""
_LINKS: Final = "\n".join(
    f"- [{status}]({explore(spans(semconv.COST_STATUS, status))}): {what}"
    for status, what in _STATUSES.items()
)
_SPANS_ONLY: Final = f"""\
How far each single cost can be trusted is on its span, as `{semconv.COST_STATUS}`; there is no \
metric of it. Searches for the spans:

{_LINKS}

If traces are sampled these searches find the part of the calls that was kept, so count nothing by \
them.
"""


def dashboard() -> Dashboard:
    return board(
        "trust",
        "Farthing: can the numbers be trusted?",
        "What is missing from the sums, what had to be assumed, who disagrees, and how old the "
        "prices are.",
        {
            "At a glance": [
                unpriced_share(),
                calls_without_price(4),
                stat(
                    "Reported by the provider",
                    "Which share of the spend did the provider say itself? The spend whose "
                    "gen_ai.usage.cost.source is provider; the rest is usage priced by the table.",
                    q.provider_share(),
                    SHARE,
                ),
                stat(
                    "Disagreements",
                    "Which share of the calls that have a cost was reported with one that differs "
                    "by more than 1 %? farthing.cost.disagreements over the count of "
                    "gen_ai.client.operation.cost.",
                    q.share(q.counted_of(q.DISAGREEMENTS, q.PRICED), q.PRICED.by()),
                    SHARE,
                    alarm=(0.01, 0.05),
                ),
                stat(
                    "Assumptions",
                    "How often was something assumed of the counts of another tracer's span? The "
                    "count of farthing.calls.assumed.",
                    q.of_any_calls(q.ASSUMED),
                    COUNT,
                ),
                price_table_age(4),
            ],
            "Calls without a price": [
                table(
                    "Without a price, by reason and model",
                    "Which calls have no price, and why? The count of farthing.calls.unpriced. An "
                    "unknown model gets a price by a rule of yours (docs/prices.md).",
                    (rows.REQUESTED, rows.PROVIDER, rows.UNPRICED_REASON),
                    (
                        Column(
                            "Calls",
                            q.UNPRICED.by(
                                semconv.REQUEST_MODEL,
                                semconv.PROVIDER_NAME,
                                semconv.UNPRICED_REASON,
                            ),
                            COUNT,
                        ),
                    ),
                    by="Calls",
                    width=12,
                    empty=_PRICED,
                ),
                series(
                    "Share without a price, of the hour before, by model",
                    "Since when is spend missing? Calls that may have cost money and have no "
                    "amount, over those and the calls with one.",
                    q.unpriced_share(semconv.REQUEST_MODEL, window=q.HOUR),
                    semconv.REQUEST_MODEL,
                    SHARE,
                ),
            ],
            "Who says what a call costs": [
                table(
                    "Spend by source",
                    "Whose word is the spend? Known cost by gen_ai.usage.cost.source: the provider "
                    "reported it, or it is local, the usage priced by the table.",
                    (rows.SOURCE,),
                    (
                        Column("Calls", q.PRICED.by(semconv.COST_SOURCE), COUNT),
                        Column("Spend", q.SPEND.by(semconv.COST_SOURCE), USD),
                        Column("Share", q.of_spend(q.SPEND, semconv.COST_SOURCE), SHARE, bar=True),
                    ),
                    by="Spend",
                    width=8,
                ),
                table(
                    "Disagreements by model",
                    "Where do two costs of one call differ by more than 1 %? The count of "
                    "farthing.cost.disagreements, by the source of the one that is recorded.",
                    (rows.MODEL, rows.SOURCE),
                    (
                        Column(
                            "Calls",
                            q.DISAGREEMENTS.by(semconv.RESPONSE_MODEL, semconv.COST_SOURCE),
                            COUNT,
                        ),
                    ),
                    by="Calls",
                    width=8,
                    empty=_AGREED,
                ),
                table(
                    "What was assumed",
                    "What had to be assumed of other tracers' spans? The count of "
                    "farthing.calls.assumed, by assumption (docs/other-tracers.md).",
                    (rows.ASSUMPTION,),
                    (Column("Calls", q.ASSUMED.by(semconv.ASSUMPTION), COUNT),),
                    by="Calls",
                    width=8,
                    empty=_ASSUMED,
                ),
            ],
            "Prices": [
                table(
                    "Price tables in use",
                    "Which price tables do processes use now, and how old are they? "
                    "farthing.prices.age by version and service.",
                    (rows.PRICES, rows.SERVICE),
                    (
                        Column(
                            "Age",
                            f"max by ({label(semconv.COST_PRICES)}, {rows.SERVICE.attribute}) "
                            f"({q.PRICES_AGE})",
                            SECONDS,
                        ),
                    ),
                    by="Age",
                    width=8,
                    empty="No process reports metrics at the end of this time range.",
                ),
                series(
                    "Spend an hour, by price table",
                    "Did a new price table change the spend? What calls cost in the hour before "
                    "each point, by the table that priced them; reported costs have none.",
                    q.SPEND.hourly(semconv.COST_PRICES),
                    semconv.COST_PRICES,
                    USD,
                    width=8,
                    stacked=True,
                ),
                text(
                    "What no metric says",
                    "Which costs are estimates, and which are only partly known? Only spans say.",
                    _SPANS_ONLY,
                    width=8,
                ),
            ],
        },
    )
