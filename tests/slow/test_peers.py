"""farthing beside another tracer of the same clients: each call costs once, and stays as it was."""

from __future__ import annotations

import functools
import json
import subprocess
from typing import Any

import pytest

from tests import peers
from tests.instrumentation import shapes

pytestmark = pytest.mark.slow

NATIVE = "com.anthropic.sdk.python"
COSTS = {
    "chat": shapes.CHAT_COST,
    "response": shapes.RESPONSES_COST,
    "embeddings": 0.00013,
    "message": shapes.ANTHROPIC_COST,
}
PEERS = [peer for peer in peers.PACKAGES if peer != "farthing"]
"""The Anthropic client's own tracer first."""
ORDERS = ("ours", "theirs")
"""Who is instrumented first, and uninstrumented first."""


def cases(*gaps: tuple[str, str, str]) -> pytest.MarkDecorator:
    """Each peer in each order; ``gaps`` (peer, order, why) are known to fail."""
    known = {(peer, order): why for peer, order, why in gaps}
    marks = {case: pytest.mark.xfail(strict=True, reason=why) for case, why in known.items()}
    all_cases = [(peer, order) for peer in PEERS for order in ORDERS]
    return pytest.mark.parametrize(
        ("peer", "order"),
        [pytest.param(*case, marks=marks.get(case, ())) for case in all_cases],
    )


@functools.cache
def phases(peer: str, order: str) -> dict[str, dict[str, Any]]:
    """What `tests.slow.peer_app` printed: phase → call → (result, what was reported)."""
    run = subprocess.run(
        [peers.python(peer), "-m", "tests.slow.peer_app", peer, order],
        capture_output=True,
        text=True,
        cwd=peers.ROOT,
        env=peers.environment(),
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])  # others may print


def ours(reported: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for span in reported["spans"] if span["scope"] == "farthing"]


def theirs(reported: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """The other tracer's spans, the Anthropic client's own aside: we replace those."""
    return [
        (span["scope"], span["name"], span["error"])
        for span in reported["spans"]
        if span["scope"] not in ("farthing", NATIVE)
    ]


def assert_priced_once(phase: dict[str, Any]) -> None:
    for call, (_, reported) in phase.items():
        cost = next(cost for word, cost in COSTS.items() if word in call)
        assert [span["cost"] for span in ours(reported)] == [cost], call
        assert [span["status"] for span in ours(reported)] == ["priced"], call
        recorded = reported["metrics"]
        assert recorded["gen_ai.client.operation.duration"][0] == 1, call
        assert recorded["gen_ai.client.operation.cost"] == [1, cost], call
        assert recorded["gen_ai.client.token.usage"][0] == (1 if "embed" in call else 2), call


def assert_not_ours(phase: dict[str, Any]) -> None:
    for call, (_, reported) in phase.items():
        assert not ours(reported), call
        assert not reported["metrics"], call


@cases()
def test_each_call_is_priced_once(peer: str, order: str) -> None:
    assert_priced_once(phases(peer, order)["both"])


@cases()
def test_the_caller_gets_what_the_bare_client_gives(peer: str, order: str) -> None:
    bare, *others = (
        {call: result for call, (result, _) in phase.items()}
        for phase in phases(peer, order).values()
    )
    assert len(bare) == 26
    for results in others:
        assert results == bare


@cases()
def test_the_other_keeps_its_spans(peer: str, order: str) -> None:
    alone = phases(peer, "ours")["second"]
    for call, (_, reported) in phases(peer, order)["both"].items():
        assert theirs(reported) == theirs(alone[call][1]), call
    traced = [call for call, (_, reported) in alone.items() if theirs(reported)]
    # OpenLIT does not see the beta messages; the Anthropic client traces itself alone.
    assert len(traced) == {"openlit": 24, "anthropic": 0}.get(peer, 26)


@cases()
def test_the_step_is_still_the_applications(peer: str, order: str) -> None:
    for call, (_, reported) in phases(peer, order)["within"].items():
        assert [span["step"] for span in ours(reported)] == ["plan"], call


@cases()
def test_either_can_go_first(peer: str, order: str) -> None:
    """Whoever is left works on; after both have gone nothing of ours is; and we can come back."""
    left = phases(peer, order)
    if order == "ours":
        assert_not_ours(left["second"])
    else:
        assert_priced_once(left["second"])
    assert_not_ours(left["none"])
    assert_priced_once(left["again"])


def test_ours_replaces_the_anthropic_clients_own_spans() -> None:
    left = phases("anthropic", "ours")
    for call, (_, reported) in left["both"].items():
        assert {span["scope"] for span in reported["spans"]} == {"farthing"}, call
    for phase in ("bare", "none"):
        for call, (_, reported) in left[phase].items():
            found = [span["scope"] for span in reported["spans"]]
            assert found == ([NATIVE] if "message" in call else []), call
