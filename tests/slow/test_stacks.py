"""What a call costs in total is right, whoever traces it: every tracer alone, in pairs, and all.

Each call is made alone and within a span of the application's, through the real clients, and what
all spans of it say is compared with the provider's bill, to the last digit.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations, permutations
from typing import Any, NamedTuple

import pytest

from tests import peers

pytestmark = pytest.mark.slow

COST, TOKENS = "gen_ai.client.operation.cost", "gen_ai.client.token.usage"
OURS, NATIVE = "farthing", "anthropic"
CLIENTS = ("official", "openllmetry", "openinference", "openlit", "logfire")
"""Tracers that wrap the clients: the order in which they do matters."""
CHAINS = ("openinference-langchain", "openllmetry-langchain")
THEIRS = (NATIVE, *CLIENTS, *CHAINS)

Stack = tuple[str, ...]
WITHIN = " within plan"

LANGCHAINS = (
    *("RunnableSequence", "RunnableSequence.workflow"),
    *("planner", "model", "execute_task model"),
)
"""Steps within LangChain, where somebody's span of them is around that of the call."""

ENDLESS = "OpenLIT, which records tokens at the end of a span, never ends this one"
APART = "the span of the one that records tokens is in a span of its own, beside the other's"
UNCOUNTED: dict[tuple[Stack, str], str] = {
    (("openlit", "openinference-langchain"), "message stream"): ENDLESS,
    (("openlit", "openinference-langchain"), "message stream" + WITHIN): ENDLESS,
    (CHAINS, "chain"): APART,
    (CHAINS, "chain" + WITHIN): APART,
}
"""(Stack, call) → why its tokens are recorded by nobody, or by us beside another."""

EMITTERS = {
    "farthing": OURS,
    "com.anthropic.sdk.python": NATIVE,
    "opentelemetry.instrumentation.genai.openai": "official",
    "opentelemetry.instrumentation.genai.anthropic": "official",
    "opentelemetry.instrumentation.openai.v1": "openllmetry",
    "opentelemetry.instrumentation.anthropic": "openllmetry",
    "opentelemetry.instrumentation.langchain": "openllmetry-langchain",
    "openinference.instrumentation.openai": "openinference",
    "openinference.instrumentation.anthropic": "openinference",
    "openinference.instrumentation.langchain": "openinference-langchain",
    "openlit.instrumentation.openai": "openlit",
    "openlit.instrumentation.anthropic": "openlit",
    "logfire.openai": "logfire",
    "logfire.anthropic": "logfire",
}
"""Scope → tracer."""

WRITES_1H = ("message cache write 1h", "message stream cache write 1h")
TTL = "it does not say for how long the cache was written, and an hour costs more than five minutes"
LOST: dict[tuple[str | None, tuple[str, ...]], str] = {
    ("official", WRITES_1H): TTL,
    ("openinference", WRITES_1H): TTL,
    ("openlit", WRITES_1H): TTL,
    ("openllmetry", WRITES_1H): TTL,
    ("openinference-langchain", WRITES_1H): TTL,
    ("openllmetry", ("message stream", "message stream async", "message helper")): (
        "it adds the output that is counted when a message begins to that of its end"
    ),
    ("openllmetry-langchain", ("message cache write", *WRITES_1H)): (
        "what LangChain says was written to the cache it takes for input"
    ),
    (None, ("message raw",)): "Logfire says no usage of a raw response, and nobody else is there",
}
"""(The first tracer that can be priced, calls) → why what it says is not enough."""


BREAKING = (
    ("openlit", "openllmetry", "response stream", "object has no attribute 'id'"),
    ("openlit", "openinference", "message stream", "object has no attribute 'response'"),
)
"""(Tracer, one started after it, call, error): what the second gets of the first is not what it
takes it for, and the application gets the error. The second row is of LangChain's streams."""


def stacks() -> Iterator[Stack]:
    """Tracers, in the order in which they are started, in every order in which that matters."""
    yield (OURS,)
    for one in THEIRS:
        yield (one,)
    yield from permutations((*CLIENTS, OURS), 2)
    for pair in combinations((*THEIRS, OURS), 2):
        if not {*pair} <= {*CLIENTS, OURS}:
            yield pair
    for pair in combinations(THEIRS, 2):
        yield (*pair, OURS)
    yield THEIRS
    yield THEIRS[::-1]
    yield (OURS, *THEIRS)
    yield (*THEIRS, OURS)


every_stack = pytest.mark.parametrize("stack", [*stacks()], ids="+".join)


class Call(NamedTuple):
    """One call: what the provider billed and what was reported of it."""

    name: str
    raised: str | None
    bill: list[dict[str, Any]]
    spans: list[dict[str, Any]]
    metrics: dict[str, dict[str, list[float]]]

    def due(self) -> list[Decimal]:
        """What the provider asks for and has told the client enough to know."""
        if "abandoned" in self.name:
            return []
        return [Decimal(one["cost"]) for one in self.bill if one["cost"] and one["reported"]]

    def paid(self) -> list[Decimal]:
        return [Decimal(repr(one["cost"])) for one in self.spans if one["cost"] is not None]

    def lost(self) -> str | None:
        """Why the total is known to be wrong, if it is."""
        payers = {EMITTERS[one["scope"]] for one in self.spans if one["cost"] is not None}
        name = self.name.removesuffix(WITHIN)
        for payer in payers or {None}:
            for (tracer, calls), why in LOST.items():
                if payer == tracer and name in calls:
                    return why
        return None

    def tokens(self) -> int:
        """What the provider has told the client of tokens."""
        return sum(_tokens(one["usage"]) for one in self.bill if one["usage"] and one["reported"])

    def recorded(self, metric: str) -> dict[str, list[float]]:
        """Scope → how often, and the sum."""
        return {scope: found[metric] for scope, found in self.metrics.items() if metric in found}


def _tokens(usage: dict[str, Any]) -> int:
    cached = "cache_read_input_tokens", "cache_creation_input_tokens"
    apart = ("input_tokens", "output_tokens", *cached)
    return usage.get("total_tokens") or sum(usage.get(name, 0) for name in apart)


class Program:
    """`tests.slow.stack_app`, and what it has said of each stack."""

    def __init__(self) -> None:
        self._said: dict[Stack, list[Call]] = {}
        self._run = subprocess.Popen(
            [peers.python("together"), "-m", "tests.slow.stack_app"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=peers.ROOT,
            env=peers.environment(),
        )

    def calls(self, stack: Stack) -> list[Call]:
        """Those that the tracers let the application make."""
        return [
            call
            for call in self.all_calls(stack)
            if not any(_breaks(stack, call, *breaking) for breaking in BREAKING)
        ]

    def all_calls(self, stack: Stack) -> list[Call]:
        if stack not in self._said:
            assert self._run.stdin
            assert self._run.stdout
            print(json.dumps(stack), file=self._run.stdin, flush=True)
            said = json.loads(self._run.stdout.readline())
            assert isinstance(said, dict), said
            self._said[stack] = [Call(name, **found) for name, found in said.items()]
        return self._said[stack]

    def close(self) -> None:
        self._run.communicate()


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    made = Program()
    yield made
    made.close()


def _breaks(stack: Stack, call: Call, first: str, second: str, name: str, error: str) -> bool:
    """Whether two tracers, started in this order, are why a call raised."""
    both = {first, second} <= {*stack} and stack.index(first) < stack.index(second)
    return both and call.name.startswith(name) and error in str(call.raised)


@every_stack
def test_every_call_costs_what_the_provider_bills(program: Program, stack: Stack) -> None:
    for call in program.calls(stack):
        assert call.raised is None, call
        if call.lost() is None:
            assert sorted(call.paid()) == sorted(call.due()), call
        else:
            assert sum(call.paid()) != sum(call.due()), f"no longer lost: {call}"


@every_stack
def test_the_metric_says_what_the_spans_say(program: Program, stack: Stack) -> None:
    for call in program.calls(stack):
        paid, recorded = call.paid(), call.recorded(COST)
        assert recorded.keys() <= {OURS}, call
        count, total = recorded.get(OURS, (0, 0.0))
        assert count == len(paid), call
        assert math.isclose(total, sum(paid), rel_tol=1e-12), call


@every_stack
def test_tokens_are_recorded_by_us_where_nobody_else_does(program: Program, stack: Stack) -> None:
    for call in program.calls(stack):
        if "abandoned" in call.name:
            continue  # each has what it saw
        said = {scope: tokens for scope, (_, tokens) in call.recorded(TOKENS).items() if tokens}
        ours = said.pop(OURS, 0)
        due = 0 if not call.paid() or (said and OURS not in stack) else call.tokens()
        assert (ours == due) is ((stack, call.name) not in UNCOUNTED), call


@every_stack
def test_the_step_is_the_applications(program: Program, stack: Stack) -> None:
    for call in program.calls(stack):
        steps = {one["step"] for one in call.spans if one["cost"] is not None}
        if not call.name.endswith(WITHIN) or not steps:
            continue
        if "chain" in call.name or "agent" in call.name:
            assert steps <= {"plan", *LANGCHAINS}, call
        else:
            assert steps == {"plan"}, call


@pytest.mark.parametrize("tracer", [OURS, NATIVE])
def test_beside_those_that_say_all_nothing_is_lost(program: Program, tracer: str) -> None:
    for stack in stacks():
        for call in program.calls(stack) if tracer in stack else ():
            if tracer == OURS or "message" in call.name:
                assert call.lost() is None, (stack, call)


def test_every_loss_is_still_one(program: Program) -> None:
    """That a call is lost is checked above; here, that there is such a call at all."""
    found = {call.lost() for stack in stacks() for call in program.calls(stack)}
    assert found == {*LOST.values(), None}


@pytest.mark.parametrize("breaking", BREAKING)
def test_those_two_still_break_the_application(program: Program, breaking: Any) -> None:
    first, second, *_ = breaking
    tried = [stack for stack in stacks() if {first, second} <= {*stack}]
    assert any(
        _breaks(stack, call, *breaking) for stack in tried for call in program.all_calls(stack)
    )
