"""What one ``farthing run`` comes to, added up while it arrives: the store holds other runs too."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from farthing_dashboards.otlp import Record, Span
from farthing_dashboards.store import Store
from farthing_dashboards.store.rows import COLUMNS, call_of, cost, is_call, run_of
from farthing_dashboards.store.schema import GROUP, to_usd
from farthing_dashboards.view.money import share
from farthing_dashboards.view.text import (
    aligned,
    calls_of,
    dollars,
    not_priced,
    outlier_of,
    percent,
    shortened,
)
from farthing_processor import semconv as names
from farthing_processor.runs import FAILED

STEPS: Final = 4
"""The dearest, that the summary names."""
_SEEN: Final = 50_000
"""Spans by which one that is sent again is known: that is done within seconds."""


class _Worst(NamedTuple):
    """The dearest outlier: its cost, and the median of its step then, in picodollars."""

    step: str
    cost: int
    usual: int


@dataclass(slots=True)
class _Found:
    """What arrived so far."""

    steps: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Of each ``calls``, those that are ``priced`` and ``unpriced``, and their ``cost``."""
    waste: Counter[str] = field(default_factory=Counter[str])
    """Picodollars by reason."""
    outliers: int = 0
    worst: _Worst | None = None


class Tally:
    """A sink before the store's: counts what the store has taken in. Thread-safe, bounded."""

    def __init__(self, store: Store) -> None:
        self.fault: Exception | None = None
        """The last reason why something could not be stored; its sender will have tried again."""
        self._store = store
        self._found = _Found()
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], None] = {}
        self._wasted_in: Counter[str] = Counter()
        """Picodollars of the runs that go on, that have a reason of their own already."""

    def __call__(self, records: Sequence[Record], /) -> None:
        try:
            self._store(records)
        except Exception as error:
            self.fault = error
            raise
        now_ns = time.time_ns()
        with self._lock:
            for record in records:
                if isinstance(record, Span) and self._is_new(record):
                    self._add(record, now_ns)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """The store's, for the page."""
        return self._store.reading()

    def summary(self) -> str:
        """A handful of lines about the money; nothing where no call came."""
        with self._lock:
            return "".join(f"{line}\n" for line in _lines(self._found))

    def _is_new(self, span: Span) -> bool:
        key = span.trace_id, span.span_id
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _SEEN:
            del self._seen[next(iter(self._seen))]
        return True

    def _add(self, span: Span, now_ns: int) -> None:
        found = self._found
        if is_call(span):
            group, values = call_of(span, now_ns)
            call: dict[str, Any] = dict(zip((*GROUP, *COLUMNS), (*group, *values), strict=True))
            found.steps[call["step"]].update(
                calls=1,
                priced=call["cost"] is not None,
                unpriced=call["status"] in ("unpriced", "usage_missing"),
                cost=call["cost"] or 0,
            )
            if call["waste"] and call["cost"]:
                found.waste.update({call["waste"]: call["cost"]})
                if call["run"]:
                    self._wasted_in.update({call["run"]: call["cost"]})
            if names.COST_OUTLIER in (call["reasons"] or "").split(","):
                found.outliers += 1
                usual = cost(span.attributes.get(names.BASELINE_P50))
                worst = found.worst
                if usual and call["cost"] and (worst is None or call["cost"] > worst.cost):
                    found.worst = _Worst(call["step"], call["cost"], usual)
        elif (run := run_of(span, now_ns)) is not None:
            before = self._wasted_in.pop(run[0], 0)
            wasted = cost(span.attributes.get(names.WORKFLOW_WASTE))
            if span.attributes.get(names.WORKFLOW_OUTCOME) == FAILED and wasted is not None:
                found.waste.update({names.WASTE_WORKFLOW_FAILED: max(wasted - before, 0)})


def _lines(found: _Found) -> Iterator[str]:
    if not found.steps:
        return
    total = _together(found.steps.values())
    of = calls_of(total["calls"])
    if total["priced"]:
        # In full: what was spent is exact.
        yield f"farthing: ${to_usd(total['cost']).normalize():,f} for {of}."
        yield from _steps(found, total["cost"])
    else:
        yield f"farthing: {of}."
    if worst := found.worst:
        many = f"{found.outliers:,} outliers, the dearest" if found.outliers > 1 else "1 outlier"
        yield f"{many}: {outlier_of(worst.step, to_usd(worst.cost), to_usd(worst.usual))}"
    if total["cost"] and (wasted := found.waste.total()):
        part = percent(share(wasted, total["cost"]))
        reasons = (f"{_dollars(cost)} {reason}" for reason, cost in found.waste.most_common())
        yield f"Wasted: {_dollars(wasted)} ({part}): {', '.join(reasons)}."
    if total["unpriced"]:
        yield not_priced(total["unpriced"], total["calls"])


def _steps(found: _Found, spend: int) -> Iterator[str]:
    ranked = sorted(
        found.steps.items(), key=lambda item: (-item[1]["cost"], -item[1]["calls"], item[0])
    )
    rows = [(name or "(no step)", step) for name, step in ranked[:STEPS]]
    if rest := ranked[STEPS:]:
        others = f"{len(rest)} other step{'s' if len(rest) > 1 else ''}"
        rows.append((others, _together(step for _, step in rest)))
    cells: list[tuple[str, ...]] = []
    for name, step in rows:
        cost = step["cost"] if step["priced"] else None
        part, calls = percent(share(cost, spend)), calls_of(step["calls"])
        cells.append((f"  {shortened(name)}", _dollars(cost), part, calls))
    yield from aligned(cells, (True, False, False, False))


def _together(many: Iterable[Counter[str]]) -> Counter[str]:
    return sum(many, Counter[str]())


def _dollars(cost: int | None) -> str:
    return dollars(None if cost is None else to_usd(cost))
