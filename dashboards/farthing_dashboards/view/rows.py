"""Rows: what is said of the calls of one step, one model, or of all of them, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from farthing_dashboards.store.schema import WASTE
from farthing_dashboards.view.money import each, share, usd
from farthing_dashboards.view.reading import Buckets, Sums, Times, added, together
from farthing_processor.histogram import Histogram

Row: TypeAlias = dict[str, Any]
"""``name``, each of `COLUMNS`, and ``cumulative``."""


class All(NamedTuple):
    """What a row is compared with: everything that is shown."""

    calls: int
    cost: int
    """In picodollars, as all sums of money."""
    minutes: float
    """How long it took."""


class _Of(NamedTuple):
    sums: Sums
    times: Times
    all: All

    @property
    def cost(self) -> int | None:
        """None when no call has a price, because unknown is not free."""
        return self.sums["cost"] if self.sums["priced"] else None

    @property
    def share_calls(self) -> float | None:
        return share(self.sums["calls"], self.all.calls)

    @property
    def share_cost(self) -> float | None:
        return share(self.cost, self.all.cost)


Column: TypeAlias = Callable[[_Of], Any]


def _sum(name: str) -> Column:
    return lambda of: of.sums[name]


def _money(name: str) -> Column:
    return lambda of: usd(of.sums[name])


def _average(name: str) -> Column:
    return lambda of: share(of.sums[name], of.sums["counted"])


def _quantile(what: str, percent: int) -> Column:
    return lambda of: quantile(of.times[what], percent)


COLUMNS: Final[Mapping[str, Column]] = {
    "calls": _sum("calls"),
    "errors": _sum("errors"),
    "error_rate": lambda of: share(of.sums["errors"], of.sums["calls"]),
    "retries": _sum("retries"),
    "per_minute": lambda of: share(of.sums["calls"], of.all.minutes),
    "priced": _sum("priced"),
    "unpriced": _sum("unpriced"),
    "estimated": _sum("estimated"),
    "input_tokens": _sum("input_tokens"),
    "output_tokens": _sum("output_tokens"),
    "average_input": _average("input_tokens"),
    "average_output": _average("output_tokens"),
    "cost": lambda of: usd(of.cost),
    "average_cost": lambda of: usd(each(of.sums["cost"], of.sums["priced"])),
    "share_calls": lambda of: of.share_calls,
    "share_cost": lambda of: of.share_cost,
    "ratio": lambda of: share(of.share_cost, of.share_calls),
    "outliers": _sum("flag_cost_outlier"),
    "cost_outliers": _money("cost_outliers"),
    "flagged": _sum("flagged"),
    "wasted": lambda of: usd(wasted(of.sums)),
    "savings": _money("savings"),
    "avoidable": _money("avoidable"),
    "p50_s": _quantile("duration", 50),
    "p95_s": _quantile("duration", 95),
    "first_chunk_p50_s": _quantile("first_chunk", 50),
    "first_chunk_p95_s": _quantile("first_chunk", 95),
}
"""Money as exact decimal strings of USD, averages of it to a picodollar; tokens; seconds; shares
from 0 to 1. None where there is nothing to say, or it is not known."""

WASTED: Final = tuple(f"waste_{reason}" for reason in WASTE)


def wasted(sums: Sums) -> int:
    """What bought nothing, for whatever reason."""
    return sum(sums[name] for name in WASTED)


def row(
    name: str, sums: Sums, times: Times, all_: All, columns: Mapping[str, Column] = COLUMNS
) -> Row:
    """One row, with all that ``columns`` have to say; ``cumulative`` needs those before it."""
    of = _Of(sums, times, all_)
    return {"name": name, **{column: value(of) for column, value in columns.items()}}


class Part(NamedTuple):
    """The calls of one name."""

    name: str
    sums: Sums
    times: Times


def parts(
    groups: Mapping[int, Mapping[str, str]],
    by: str,
    sums: Mapping[int, Sums],
    times: Mapping[int, Times],
) -> list[Part]:
    """The calls of all groups by one of `schema.GROUP`, the dearest first."""
    named: dict[str, list[int]] = {}
    for id in sums:
        named.setdefault(groups[id][by], []).append(id)
    nothing: Times = {}
    found = [
        Part(
            name,
            added(sums[id] for id in ids),
            together(times.get(id, nothing) for id in ids),
        )
        for name, ids in named.items()
    ]
    return sorted(found, key=lambda part: dearest_first(part.name, part.sums))


def dearest_first(name: str, sums: Sums) -> tuple[int, int, str]:
    """A key to sort by: spend, then calls, then name."""
    return (-sums["cost"], -sums["calls"], name)


def rows(found: Sequence[Part], all_: All) -> list[Row]:
    """Parts in their order as rows, each with its share and that of all before it."""
    return with_cumulative(
        ((row(*part, all_), part.sums["cost"]) for part in found),
        all_.cost,
    )


def with_cumulative(found: Iterable[tuple[Row, int]], cost: int) -> list[Row]:
    """The rows, in order; beside each stands its cost, in picodollars."""
    sofar = 0
    listed: list[Row] = []
    for each_row, part in found:
        sofar += part
        listed.append({**each_row, "cumulative": share(sofar, cost)})
    return listed


def quantile(buckets: Buckets, percent: int) -> float | None:
    """The middle of the bucket that holds the quantile, within 2.2 % of it; None of no values.

    The lower one where it is between two values, as `Histogram.p50` has it.
    """
    rank = (sum(buckets.values()) - 1) * percent // 100
    for bucket in sorted(buckets):
        if rank < buckets[bucket]:
            return _middle(bucket)
        rank -= buckets[bucket]
    return None


@lru_cache(maxsize=4096)
def _middle(bucket: int) -> float | None:
    return Histogram.of_buckets({bucket: 1}).p50
