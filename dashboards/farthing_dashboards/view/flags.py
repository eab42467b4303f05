"""Why a call is flagged: a sentence for each reason, with the numbers of its own span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from farthing_dashboards.store.schema import to_usd
from farthing_dashboards.view.explanation import Paid
from farthing_dashboards.view.words import FLAGS
from farthing_processor import semconv as names


def flags(paid: Paid) -> list[str]:
    """A sentence for each reason why the call is not normal, with the numbers that make it so."""
    reasons = paid.attributes.get(names.OUTLIER_REASONS)
    return [
        _flag(paid, str(each)) for each in (reasons if isinstance(reasons, list | tuple) else ())
    ]


def _flag(paid: Paid, reason: str) -> str:
    try:
        return _FLAG[reason](paid)
    except (LookupError, ArithmeticError):  # nobody knows the reason, or its numbers are none
        return f"It is one of the calls that {FLAGS.get(reason, f'are marked {reason}')}."


def _cost_outlier(paid: Paid) -> str:
    before = f"{_number(paid, names.BASELINE_COUNT)} calls"
    live = paid.attributes.get(names.BASELINE_SOURCE) == "live"
    return (
        f"{_dollars(_cost(paid))} is {paid.number(names.OUTLIER_RATIO):,.1f} times what "
        f"{paid.step} usually costs ({_usd(paid, names.BASELINE_P50)}, the median of "
        f"{before} {'before it' if live else 'of an earlier process'}); "
        f"flagged above {_usd(paid, names.OUTLIER_COST_LIMIT)}."
    )


def _cold_threshold(paid: Paid) -> str:
    before = int(paid.number(names.BASELINE_COUNT))
    return (
        f"{_dollars(_cost(paid))} is above {_usd(paid, names.OUTLIER_COST_LIMIT)}, and "
        f"what {paid.step} usually costs is not known yet, after {before:,} "
        f"{_calls(before)}: worth a look, and no flag by itself."
    )


def _context_growth(paid: Paid) -> str:
    first, sent = paid.number(names.OUTLIER_FIRST_INPUT), paid.tokens("input")
    return (
        f"{sent:,} input tokens are {sent / first:,.1f} times the {_count(first)} that the first "
        f"call of {paid.step} in this run sent; "
        f"flagged above {_number(paid, names.OUTLIER_INPUT_LIMIT)}."
    )


def _completion_spike(paid: Paid) -> str:
    usual, wrote = paid.number(names.BASELINE_OUTPUT_P50), paid.tokens("output")
    times = f" are {wrote / usual:,.1f} times" if usual else ", over"
    return (
        f"{wrote:,} output tokens{times} the {_count(usual)} that {paid.step} usually writes; "
        f"flagged above {_number(paid, names.OUTLIER_OUTPUT_LIMIT)}."
    )


def _retry_storm(paid: Paid) -> str:
    return (
        f"Attempts of {paid.step} failed {_number(paid, names.OUTLIER_FAILURES)} times within "
        f"a minute; flagged from {_number(paid, names.OUTLIER_FAILURES_LIMIT)} on."
    )


def _repeated_prompt(paid: Paid) -> str:
    before = int(paid.number(names.OUTLIER_REPEATS))
    times = "once" if before == 1 else f"{before:,} times"
    return f"The same prompt had been answered {times} before in this run."


def _large_uncached_prefix(paid: Paid) -> str:
    return (
        f"At least {_number(paid, names.OUTLIER_STABLE_TOKENS)} of its {paid.tokens('input'):,} "
        f"input tokens were as in the last prompt of {paid.step}, and none came from a cache, "
        f"which would have saved {_usd(paid, names.OUTLIER_AVOIDABLE_COST)}; "
        f"flagged above {_number(paid, names.OUTLIER_PREFIX_LIMIT)} input tokens."
    )


def _low_yield(paid: Paid) -> str:
    sent, wrote = paid.tokens("input"), paid.tokens("output")
    times = f", {sent / wrote:,.1f} for each" if wrote else ""
    return (
        f"It read {sent:,} tokens to write {wrote:,}{times}; "
        f"flagged above {_number(paid, names.OUTLIER_YIELD_LIMIT)} for each."
    )


_FLAG: Final[Mapping[str, Callable[[Paid], str]]] = {
    names.COST_OUTLIER: _cost_outlier,
    names.COLD_THRESHOLD: _cold_threshold,
    names.CONTEXT_GROWTH: _context_growth,
    names.COMPLETION_SPIKE: _completion_spike,
    names.RETRY_STORM: _retry_storm,
    names.REPEATED_PROMPT: _repeated_prompt,
    names.LARGE_UNCACHED_PREFIX: _large_uncached_prefix,
    names.LOW_YIELD: _low_yield,
}


def _cost(paid: Paid) -> Decimal:
    if paid.cost is None:
        raise LookupError(names.COST_AMOUNT)
    return to_usd(paid.cost)


def _usd(paid: Paid, name: str) -> str:
    return _dollars(paid.number(name))


def _number(paid: Paid, name: str) -> str:
    return _count(paid.number(name))


def _dollars(amount: Decimal) -> str:
    """To a cent, or to four digits of what is less than a dollar."""
    places = 2 if not amount or amount >= 1 else 3 - amount.adjusted()
    whole, _, rest = f"{amount:,.{places}f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"


def _count(number: Decimal) -> str:
    return f"{number:,.0f}"


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"
