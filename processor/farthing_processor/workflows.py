"""Workflows: what one run of a workflow came to, and what of its cost bought nothing.

A run's calls are added up as they are reported, in the process that opened it: what another process
spends in its name, it does not know. At its end the sums go to its root span and into the metrics
of the recorder of its calls. A call that is reported later is in the metrics of calls alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from decimal import Context as Arithmetic
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context

from farthing_processor import metrics as catalogue
from farthing_processor import runs
from farthing_processor import semconv as names
from farthing_processor.assessment import Assessment, AttributeValue
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.runs import Run

if TYPE_CHECKING:  # it adds to what is here
    from farthing_processor.recording import Entry, Recorder

BATCH: Final = 128
"""Calls of a run that wait to be added up, at most: together they cost half."""
PAYERS: Final = 256
"""Distinct labels by which the cost of a run is kept; that of later ones is kept as of `OTHER`."""
OTHER: Final = "other"

Payer = tuple[str | None, ...]
"""Values of `metrics.CALL_LABELS`, in their order."""

_EXACT: Final = Arithmetic(prec=60)
"""Whatever precision the application's own arithmetic has."""


def wasted(facts: Facts, assessment: Assessment) -> str | None:
    """Why the cost of a call bought nothing: the first reason that applies. None where it bought
    something, and where there is no cost."""
    if not assessment.cost:
        return None
    if facts.error_type is not None:
        return names.WASTE_FAILED
    if facts.abandoned:
        return names.WASTE_ABANDONED
    if names.REPEATED_PROMPT in assessment.flags:
        return names.WASTE_REPEATED
    return None


def payer(facts: Facts, who: Attribution) -> Payer:
    """What the metrics of a call are grouped by."""
    # Slices: a third of the time of eight look-ups by name.
    provider, request_model, response_model, _, operation = facts[:5]
    workflow, _, step, _, agent, feature = who[:6]
    return operation, provider, request_model, response_model, step, agent, workflow, feature


def exact_sum(costs: Iterable[float]) -> Decimal:
    """The sum of amounts, exact.

    The shortest text of the double nearest to an amount is that amount, up to 15 digits:
    trillionths of a dollar, of a call that costs less than a thousand.
    """
    return reduce(_EXACT.add, map(Decimal, map(repr, costs)), Decimal(0))


class Rollup:
    """What the calls of one run came to so far. Thread-safe, exact, bounded; closed once."""

    __slots__ = (
        "_closed",
        "_lock",
        "_spent",
        "_waiting",
        "calls",
        "failures",
        "input_tokens",
        "output_tokens",
        "recorder",
        "retries",
        "unpriced",
        "waste",
    )

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.calls = self.failures = self.retries = self.unpriced = 0
        self.input_tokens = self.output_tokens = 0
        self.waste = Decimal(0)
        """USD of the calls that bought nothing."""
        self._spent: dict[Payer, Decimal] = {}
        """USD of the other calls, by who pays."""
        # Not who spends: that leads to the run, and a run in a cycle is lost late.
        self._waiting: deque[tuple[Payer, Facts, Assessment]] = deque()
        # Re-entrant: the garbage collector may end another tracer's span in the middle of it.
        self._lock = threading.RLock()
        self._closed = False

    @property
    def cost(self) -> Decimal:
        """USD of all calls, as far as it is known."""
        return reduce(_EXACT.add, self._spent.values(), self.waste)

    def add(self, entry: Entry) -> None:
        """Add one call; nothing once the run is closed."""
        facts, who, assessment = entry[:3]
        self._waiting.append((payer(facts, who), facts, assessment))
        if len(self._waiting) >= BATCH:
            self._add_up()

    def _add_up(self) -> None:
        with self._lock:
            costs: dict[Payer | None, list[float]] = {}
            calls = inputs = outputs = 0
            while self._waiting:
                paid_by, facts, assessment = self._waiting.popleft()
                if self._closed:
                    continue
                if (cost := assessment.cost) is not None:
                    by = paid_by if wasted(facts, assessment) is None else None
                    if by in costs:
                        costs[by].append(cost)
                    else:
                        costs[by] = [cost]
                elif assessment.status is not None:
                    self.unpriced += 1
                elif facts.error_type is None:
                    continue  # no call to a model: a response was fetched again
                calls += 1
                if facts.error_type is not None:
                    self.failures += 1
                if facts.attempts > 1:
                    self.retries += facts.attempts - 1
                if (usage := facts.usage) is not None:
                    if usage.also:
                        usage = usage.billed()
                    inputs += usage.input_tokens or 0
                    outputs += usage.output_tokens or 0
            self.calls += calls
            self.input_tokens += inputs
            self.output_tokens += outputs
            for by, amounts in costs.items():
                self._spend(by, exact_sum(amounts))

    def _spend(self, by: Payer | None, amount: Decimal) -> None:
        if by is None:
            self.waste = _EXACT.add(self.waste, amount)
            return
        if by not in self._spent and len(self._spent) >= PAYERS:
            by = tuple(value and OTHER for value in by)
        self._spent[by] = _EXACT.add(self._spent.get(by, Decimal(0)), amount)

    def close(self, failed: bool) -> dict[Payer, Decimal]:
        """Take no more calls; if the workflow ``failed``, what it spent and is not waste yet is,
        and is returned by who pays."""
        with self._lock:
            self._add_up()
            self._closed = True
            if not failed:
                return {}
            self.waste, lost, self._spent = self.cost, self._spent, {}
            return lost

    def attributes(self) -> dict[str, AttributeValue]:
        """What the root span says of it: the cost where any is known, because none is not 0, and
        what went wrong where anything did."""
        attributes: dict[str, AttributeValue] = {
            names.WORKFLOW_CALLS: self.calls,
            names.WORKFLOW_INPUT_TOKENS: self.input_tokens,
            names.WORKFLOW_OUTPUT_TOKENS: self.output_tokens,
        }
        if self.known:
            attributes[names.WORKFLOW_COST] = float(self.cost)
        wrong: dict[str, AttributeValue] = {
            names.WORKFLOW_UNPRICED: self.unpriced,
            names.WORKFLOW_FAILURES: self.failures,
            names.WORKFLOW_RETRIES: self.retries,
            names.WORKFLOW_WASTE: float(self.waste),
        }
        return attributes | {name: value for name, value in wrong.items() if value}

    @property
    def known(self) -> bool:
        """Whether anything is known of the cost: not where no call of several has a price."""
        return not self.unpriced or bool(self._spent or self.waste)


_making: Final = threading.Lock()


def open_rollup(run: Run, recorder: Recorder) -> Rollup | None:
    """The rollup of ``run``, whose metrics will be those of ``recorder``, its first; None for a run
    that has ended without one."""
    if run.rollup is None:
        with _making:
            if run.rollup is None and not run.ended:
                run.rollup = Rollup(recorder)
    return run.rollup if isinstance(run.rollup, Rollup) else None


def add(recorder: Recorder, run: Run, entry: Entry) -> None:
    """Add a call of ``run`` that ``recorder`` records."""
    rollup = run.rollup
    if not isinstance(rollup, Rollup):
        rollup = open_rollup(run, recorder)
    if rollup is not None:
        rollup.add(entry)


def _ended(run: Run) -> None:
    """Say on the root span what the run came to, and record it."""
    rollup = run.rollup
    if not isinstance(rollup, Rollup):
        return
    lost = rollup.close(run.outcome == runs.FAILED)
    run.span.set_attributes(rollup.attributes())
    put, within = rollup.recorder.put, trace.set_span_in_context(run.span, Context())
    labels = (run.name, run.outcome)
    put(catalogue.WORKFLOWS, 1, labels, within)
    if rollup.known:
        put(catalogue.WORKFLOW_COST, float(rollup.cost), labels, within)
    for by, amount in lost.items():
        put(catalogue.WASTE, float(amount), (*by, names.WASTE_WORKFLOW_FAILED), within)


runs.on_end(_ended)
