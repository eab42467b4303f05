"""The few PromQL expressions that every panel and every rule is built from.

Strings in, strings out, in the `suffixed` naming. ``where`` is the body of a selector, such as
``job=~"$service"``; ``by`` are attribute names, or labels. Every expression aggregates, because
series differ by ``otel_scope_*`` and ``instance`` too.
"""

from __future__ import annotations

from collections.abc import Sequence

from farthing_dashboards.grafana.names import label


def grown(name: str, where: str, window: str, by: Sequence[str] = ()) -> str:
    """How much a counter grew in the window, exactly, what it was born with included.

    ``increase()`` is wrong where money is sparse. It sees differences between samples: of a series
    whose first one lies within the window it misses the first value, which of a rare and dear step
    may be all of its spend. And it extrapolates: of a job of three minutes that exports each minute
    it makes up to half as much again. So a series counts for its last value, less the one that it
    had when the window began; for the whole where it had none, or a higher one: it restarted then.

    Only a series that restarts within the window needs ``increase()``, with the lowest value for
    its first where it was born there too. One that was not collected for five minutes just when the
    window began counts as born then; one that restarts and is higher than before when it is next
    collected did not restart, as far as anyone can tell.
    """
    x = _selector(name, where)
    over = f"{x}[{window}]"
    # Not what `offset` alone finds: that is nothing where the window begins with a failed scrape.
    before = f"last_over_time({x}[5m] offset {window})"
    last, lowest, increase = (
        f"{function}({over})" for function in ("last_over_time", "min_over_time", "increase")
    )
    restarted = f"({increase} + ({lowest} unless {before}) or {increase}) and resets({over}) > 0"
    return f"{total(by)} ({restarted} or {last} - ({before} <= {lowest}) or {last})"


def rate(name: str, where: str, window: str, by: Sequence[str] = ()) -> str:
    """How fast a counter grows, a second. What a series is born with is not in it: see `grown`."""
    return f"{total(by)} (rate({_selector(name, where)}[{window}]))"


def quantile(q: float, buckets: str) -> str:
    """A quantile of a histogram, of how its buckets grew by ``le`` and others; as exact as they are
    wide. No value where nothing was counted."""
    return f"(histogram_quantile({q}, {buckets}) >= 0)"


def share(part: str, whole: str) -> str:
    """``part`` over ``whole``, both by the same labels; no value where there is no whole."""
    return f"({part}) / (({whole}) > 0)"


def share_of_all(part: str, whole: str) -> str:
    """``part`` by some labels over ``whole`` without any; no value where there is no whole."""
    return f"({part}) / on () group_left () (({whole}) > 0)"


def or_zero(part: str, whole: str) -> str:
    """``part``, and 0 where there is a ``whole`` and no part: what never happened has no series."""
    return f"({part} or 0 * {whole})"


def plus(amount: str, other: str) -> str:
    """The two together, where there may be only one of them."""
    return f"({amount} + {or_zero(other, amount)} or {other})"


def less(amount: str, other: str) -> str:
    """``amount`` less ``other``, where there may be only one of the two."""
    return f"({amount} - {or_zero(other, amount)} or 0 - {other})"


def total(by: Sequence[str]) -> str:
    """``sum by (…)``, or ``sum``."""
    return f"sum by ({labels(by)})" if by else "sum"


def labels(attributes: Sequence[str]) -> str:
    return ", ".join(map(label, attributes))


def equals(attribute: str, value: str) -> str:
    """A matcher, the body of a selector: the attribute has this value."""
    return f'{label(attribute)}="{value}"'


def _selector(name: str, where: str) -> str:
    return f"{name}{{{where}}}" if where else name
