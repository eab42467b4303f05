"""Outliers: each reason where it is due, none just below, and the numbers of each beside it."""

from __future__ import annotations

import os
import signal
import threading
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from farthing_processor.assessment import NOTHING, Assessment, assess, flagged
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.histogram import Histogram
from farthing_processor.outliers import Watch
from farthing_processor.prompts import Fingerprint, fingerprint
from farthing_processor.snapshots import Measures
from farthing_processor.thresholds import Rules, Thresholds, entries
from farthing_processor.usage import Usage
from tests.outlier_reasons import explained

SECOND = 10**9
START = 1_790_000_000 * SECOND
IN, OUT = 2.5e-6, 1e-5
"""USD a token of gpt-4o (https://openai.com/api/pricing); a cached input token costs half."""
USUAL = Usage(1000, 100)
LONG = "Every claim must be checked against the policy of the year in which it was made. " * 150


class Calls:
    """Calls of a service, one after the other, as a watch sees them."""

    def __init__(self, rules: str = "", **options: Any) -> None:
        self.now_ns = START
        provider = TracerProvider(
            resource=Resource({"service.name": "shop"}), shutdown_on_exit=False
        )
        self.watch = Watch(
            Rules(Thresholds(), entries(rules)),
            provider=provider,
            clock=lambda: self.now_ns,
            **options,
        )

    def call(
        self, usage: Usage | None = USUAL, step: str = "plan", run: str | None = None, **facts: Any
    ) -> Assessment:
        """One call that takes a second."""
        known = {"start_ns": self.now_ns, "duration_s": 1.0, "usage": usage} | facts
        self.now_ns += SECOND
        who = Attribution(step=step, workflow=run and "trip", workflow_id=run)
        return assess(
            Facts(**{"provider": "openai", "request_model": "gpt-4o"} | known), who, self.watch
        )

    def reasons(self, usage: Usage | None = USUAL, **given: Any) -> set[str]:
        """The reasons of one call, each borne out by its attributes."""
        found = self.call(usage, **given)
        said = dict(found.attributes)
        if usage is not None:
            said["gen_ai.usage.input_tokens"] = usage.input_tokens
            said["gen_ai.usage.output_tokens"] = usage.output_tokens
            said["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read_tokens
        assert explained(said) == set(found.flags)
        return set(found.flags)

    def warm(self, calls: int = 30, usage: Usage | None = USUAL, **given: Any) -> Calls:
        for _ in range(calls):
            self.call(usage, **given)
        return self


@pytest.fixture
def calls() -> Calls:
    return Calls().warm()


# Cost.


def test_a_call_above_five_times_the_median(calls: Calls) -> None:
    p50 = calls.call().attributes["farthing.baseline.p50"]
    assert isinstance(p50, float)
    assert p50 == pytest.approx(0.0035, rel=0.022)
    most = int(5 * p50 / OUT)
    assert "cost_outlier" not in calls.reasons(Usage(0, most))
    assert "cost_outlier" in calls.reasons(Usage(0, most + 1))


def test_what_is_normal_says_by_what_measure(calls: Calls) -> None:
    found = calls.call()
    assert found.flags == ()
    assert found.attributes["farthing.baseline.count"] == 30
    assert found.attributes["farthing.baseline.source"] == "live"
    ratio = found.attributes["farthing.outlier.ratio"]
    assert ratio == 0.0035 / found.attributes["farthing.baseline.p50"]  # type: ignore[operator]
    assert not {"farthing.outlier.detected", "farthing.outlier.reasons"} & found.attributes.keys()


def test_no_call_is_its_own_measure() -> None:
    calls = Calls("*: min_count=1").warm(1)
    assert "cost_outlier" in calls.reasons(Usage(1000, 2000))


def test_what_costs_next_to_nothing_does_not_matter() -> None:
    calls = Calls().warm(usage=Usage(4, 1))
    assert "cost_outlier" not in calls.reasons(Usage(0, 10))
    assert "cost_outlier" in calls.reasons(Usage(0, 11))


def test_a_step_that_is_usually_free_goes_by_the_least_amount() -> None:
    calls = Calls().warm(usage=Usage(1000, 100, reported_cost=Decimal(0)))
    assert calls.reasons(Usage(1000, 100, reported_cost=Decimal("0.0001"))) == set()
    assert calls.reasons(Usage(1000, 100, reported_cost=Decimal("0.00011"))) == {"cost_outlier"}


def test_a_step_without_a_median_goes_by_a_fixed_amount() -> None:
    calls = Calls().warm(29)
    assert calls.reasons(Usage(0, 500)) == set()
    assert Calls().reasons(Usage(0, 501)) == {"cold_threshold"}
    found = Calls().warm(3).call(Usage(0, 501))
    assert found.attributes["farthing.baseline.count"] == 3
    assert "farthing.outlier.ratio" not in found.attributes


def test_a_snapshot_speaks_until_there_are_calls_enough() -> None:
    cost, tokens = Histogram(), Histogram()
    for _ in range(40):
        cost.insert(0.001)
        tokens.insert(100)
    calls = Calls(loaded={("shop", "plan"): Measures(cost, tokens, tokens)})
    assert calls.reasons(Usage(0, 510)) == {"cost_outlier", "completion_spike"}
    assert calls.call().attributes["farthing.baseline.source"] == "snapshot"
    assert calls.reasons(Usage(0, 510), step="other") == {"cold_threshold"}
    calls.warm()
    assert calls.call().attributes["farthing.baseline.source"] == "live"


def test_thresholds_of_one_step() -> None:
    calls = Calls("PLAN: factor=20, min_count=40; cold*: cold_usd=off; *: completion_spike=off")
    dear = Usage(0, 2000)
    calls.warm(40)
    calls.warm(30, step="other")
    assert calls.reasons(dear) == set()
    assert calls.reasons(dear, step="other") == {"cost_outlier"}
    assert calls.reasons(Usage(0, 8000)) == {"cost_outlier"}
    assert calls.reasons(Usage(0, 10**5), step="cold start") == set()
    calls = Calls("plan: min_count=40").warm(39)
    assert calls.reasons(dear) == {"cold_threshold"}
    assert calls.reasons(dear) == {"cost_outlier", "completion_spike"}


# Tokens.


def test_a_completion_far_above_the_median(calls: Calls) -> None:
    p50 = calls.call(Usage(1000, 10**4)).attributes["farthing.baseline.output_p50"]
    most = int(5 * p50)  # type: ignore[arg-type]
    assert "completion_spike" not in calls.reasons(Usage(1000, most))
    assert "completion_spike" in calls.reasons(Usage(1000, most + 1))


def test_input_over_fifty_times_output(calls: Calls) -> None:
    assert calls.reasons(Usage(5000, 100)) == set()
    assert calls.reasons(Usage(5001, 100)) == {"low_yield"}
    assert calls.reasons(Usage(1000, 0)) == {"low_yield"}
    assert calls.reasons(Usage(10, 0)) == set()  # 0.000025 USD
    assert Calls("*: low_yield=100").reasons(Usage(1000, 10)) == set()
    assert Calls("*: low_yield=off").reasons(Usage(1000, 0)) == set()


def test_an_embedding_puts_out_nothing_and_that_is_normal(calls: Calls) -> None:
    of = {"operation": "embeddings", "request_model": "text-embedding-3-large"}
    assert calls.reasons(Usage(10**4), step="embed", **of) == set()


def test_a_context_that_grows() -> None:
    calls = Calls("*: cold_usd=off, low_yield=off")
    assert calls.reasons(Usage(1000, 100), run="a") == set()
    assert calls.reasons(Usage(3000, 100), run="a") == set()
    assert calls.reasons(Usage(5000, 100), run="a") == set()
    assert calls.reasons(Usage(5001, 100), run="a") == {"context_growth"}
    assert calls.reasons(Usage(6000, 100), run="a", step="other") == set()
    assert calls.reasons(Usage(6000, 100), run="b") == set()
    assert calls.reasons(Usage(50_000, 100)) == set()


def test_a_context_that_was_cut_grows_from_there() -> None:
    calls = Calls("*: cold_usd=off, low_yield=off")
    for tokens in (1000, 5000, 2000, 5001):
        assert calls.reasons(Usage(tokens, 100), run="a") == set()
    assert calls.reasons(Usage(10_001, 100), run="a") == {"context_growth"}
    calls = Calls("*: context_growth=2, cold_usd=off, low_yield=off")
    assert calls.reasons(Usage(1000, 100), run="a") == set()
    assert calls.reasons(Usage(2001, 100), run="a") == {"context_growth"}


# Failures.


def failing(
    calls: Calls, attempts: int = 1, error: str = "RateLimitError", **more: Any
) -> set[str]:
    return calls.reasons(None, error_type=error, attempts=attempts, **more)


def test_five_failed_attempts_in_a_minute(calls: Calls) -> None:
    assert failing(calls) == failing(calls) == failing(calls) == failing(calls) == set()
    assert calls.reasons() == set()
    assert failing(calls, step="other") == set()
    assert failing(calls) == {"retry_storm"}
    assert failing(calls) == {"retry_storm"}
    calls.now_ns += 61 * SECOND
    assert failing(calls) == set()


def test_the_clients_own_retries_count() -> None:
    calls = Calls()
    assert failing(calls, 3) == set()
    assert calls.reasons(attempts=2) == set()
    assert calls.reasons(attempts=2) == {"retry_storm"}
    assert failing(Calls("*: retry_storm=3"), 3) == {"retry_storm"}
    found = Calls().call(None, error_type="APIError", attempts=5)
    assert found.attributes["farthing.outlier.failures"] == 5
    assert found.status is None
    assert found.cost is None


def test_attempts_of_a_call_that_took_longer_are_not_all_of_this_minute() -> None:
    calls = Calls()
    for _ in range(4):
        assert failing(calls, 3, duration_s=90.0) == set()
    assert failing(calls, 3, duration_s=90.0) == {"retry_storm"}
    assert Calls().reasons(attempts=9, duration_s=90.0) == set()


@pytest.mark.parametrize("error", ["CancelledError", "asyncio.exceptions.CancelledError"])
def test_what_the_application_stopped_has_not_failed(error: str) -> None:
    calls = Calls()
    for _ in range(9):
        assert failing(calls, error=error) == set()
    assert failing(calls, 6, error=error) == {"retry_storm"}


# Prompts.


def asked(text: str, **body: Any) -> Fingerprint:
    made = fingerprint({"model": "gpt-4o", "messages": [{"content": text}], **body}, True)
    assert made is not None
    return made


def test_a_prompt_asked_again_in_one_workflow() -> None:
    calls = Calls()
    one, other = asked("Where is my order?"), asked("Where is my refund?")
    assert calls.reasons(prompt=one, run="a") == set()
    assert calls.reasons(prompt=other, run="a") == set()
    assert calls.reasons(prompt=one, run="b") == set()
    assert calls.reasons(prompt=one, run="a", step="another") == {"repeated_prompt"}
    found = calls.call(prompt=one, run="a")
    assert found.attributes["farthing.outlier.repeats"] == 2
    assert "farthing.prompt.hash" not in found.attributes
    assert calls.reasons(prompt=one) == calls.reasons(prompt=one) == set()


def test_a_prompt_that_had_no_answer_is_not_repeated() -> None:
    calls = Calls()
    one = asked("Where is my order?")
    assert failing(calls, prompt=one, run="a") == set()
    assert calls.reasons(prompt=one, run="a") == set()
    assert failing(calls, prompt=one, run="a") == set()
    assert calls.reasons(prompt=one, run="a") == {"repeated_prompt"}
    assert calls.reasons(prompt=asked("Why?"), run="a", error_type="ContentFilterError") == set()
    assert calls.reasons(prompt=asked("Why?"), run="a") == set()
    often = Calls("*: repeated_prompt=2")
    assert often.reasons(prompt=one, run="a") == often.reasons(prompt=one, run="a") == set()
    assert often.reasons(prompt=one, run="a") == {"repeated_prompt"}


def test_the_hash_leaves_the_process_only_when_asked() -> None:
    calls = Calls(tells_prompts=True)
    one = asked("Where is my order?")
    assert calls.call(prompt=one).attributes["farthing.prompt.hash"] == f"{one.whole:016x}"
    assert calls.watch.wants(Attribution(step="plan")) == (True, True)
    assert Calls().watch.wants(Attribution(step="plan")) == (True, False)
    assert Calls().watch.wants(Attribution(step="plan", workflow_id="a")) == (True, True)
    off = Calls("*: repeated_prompt=off, large_uncached_prefix=off")
    assert off.watch.wants(Attribution(step="plan", workflow_id="a")) == (False, False)


QUIET = "*: low_yield=off, cold_usd=off"


def test_a_large_prefix_without_a_cache() -> None:
    calls = Calls(QUIET)
    size = asked(LONG).size
    assert 8192 < size < 16384
    assert calls.reasons(Usage(3000, 100), prompt=asked(LONG + "1")) == set()
    found = calls.call(Usage(3000, 100), prompt=asked(LONG + "2"))
    assert found.flags == ("large_uncached_prefix",)
    tokens = 3000 * 8192 // asked(LONG + "2").size
    assert found.attributes["farthing.outlier.stable_tokens"] == tokens
    assert found.attributes["farthing.outlier.avoidable_cost"] == pytest.approx(tokens * IN / 2)
    assert calls.reasons(Usage(3000, 100), prompt=asked(LONG + "3")) == {"large_uncached_prefix"}


@pytest.mark.parametrize(
    ("usage", "text", "facts"),
    [
        (Usage(2000, 100), LONG, {}),
        (Usage(3000, 100, cache_read_tokens=10), LONG, {}),
        (Usage(3000, 100, cache_write_tokens=10), LONG, {}),
        (Usage(3000, 100), "Now: " + LONG, {}),
        (Usage(3000, 100), LONG, {"start_ns": START + 400 * SECOND}),
        # Both were under way at once: there was nothing in the cache yet.
        (Usage(3000, 100), LONG, {"start_ns": START}),
        # No price for cached input.
        (Usage(3000, 100), LONG, {"request_model": "gpt-4-turbo"}),
        # A prefix of 1,000 tokens is too short for a cache.
        (Usage(2001, 100), LONG[:4200] + "?" * 4200, {}),
    ],
)
def test_a_prefix_that_is_cached_or_could_not_have_been(
    usage: Usage, text: str, facts: dict[str, Any]
) -> None:
    calls = Calls(QUIET)
    calls.call(Usage(3000, 100), prompt=asked(LONG))
    assert calls.reasons(usage, prompt=asked(text), **facts) == set()


# What becomes part of the baseline.


@pytest.mark.parametrize(
    ("status", "facts", "learnt"),
    [
        ("priced", {}, True),
        ("reported", {"usage": Usage(1000, 100, reported_cost=Decimal("0.0035"))}, True),
        ("partial", {"usage": USUAL._replace(tier="scale")}, True),
        ("inconsistent", {"usage": USUAL._replace(cache_read_tokens=2000)}, False),
        ("estimated", {"usage": None, "estimate": USUAL._replace(complete=False)}, False),
        ("priced", {"error_type": "ContentFilterError"}, False),
        ("unpriced", {"request_model": "gpt-99"}, False),
        ("usage_missing", {"usage": None}, False),
        ("usage_missing", {"usage": USUAL._replace(complete=False)}, False),
        (None, {"usage": None, "error_type": "APIError"}, False),
    ],
)
def test_what_is_part_of_the_baseline(
    status: str | None, facts: dict[str, Any], learnt: bool
) -> None:
    calls = Calls()
    assert calls.call(**facts).status == status
    assert calls.call().attributes["farthing.baseline.count"] == int(learnt)


def test_an_estimate_and_a_failure_are_judged(calls: Calls) -> None:
    dear = Usage(1000, 5000, complete=False)
    assert calls.reasons(None, estimate=dear) == {"cost_outlier"}
    assert calls.reasons(Usage(1000, 5000), error_type="APIError") == {"cost_outlier"}


def test_what_is_unpriced_is_judged_by_its_tokens(calls: Calls) -> None:
    found = calls.call(Usage(1000, 3000), request_model="gpt-99")
    assert found.flags == ("completion_spike",)
    assert "farthing.baseline.p50" not in found.attributes


def test_running_counts_of_a_stream_that_was_cut_are_not_judged(calls: Calls) -> None:
    assert calls.reasons(Usage(1000, 5000, complete=False)) == set()


def test_results_of_batches_are_a_step_of_their_own(calls: Calls) -> None:
    found = calls.call(USUAL._replace(batch=True), duration_s=None)
    assert found.attributes["farthing.baseline.count"] == 0
    assert calls.call().attributes["farthing.baseline.count"] == 30


def test_requests_billed_beside_are_part_of_the_tokens(calls: Calls) -> None:
    """As they are part of the span's."""
    usage = Usage(1000, 100, also=(("", Usage(1000, 900)),))
    found = calls.call(usage)
    assert "completion_spike" in found.flags
    assert explained(
        {
            **found.attributes,
            "gen_ai.usage.input_tokens": 2000,
            "gen_ai.usage.output_tokens": 1000,
        }
    )


def test_flags_may_come_later_and_are_the_same(calls: Calls) -> None:
    other = Calls().warm()
    facts = Facts("openai", "gpt-4o", usage=Usage(1000, 5000), start_ns=START, duration_s=1.0)
    who = Attribution(step="plan")
    assert flagged(assess(facts, who), facts, who, calls.watch) == assess(facts, who, other.watch)
    failed = facts._replace(usage=None, error_type="APIError")
    assert assess(failed, who) is NOTHING
    assert flagged(NOTHING, failed, who, calls.watch) is NOTHING


def test_without_a_watch_nothing_is_flagged() -> None:
    found = assess(Facts("openai", "gpt-4o", usage=Usage(10**6, 0), start_ns=START), Attribution())
    assert found.flags == ()
    assert not [name for name in found.attributes if "outlier" in name or "baseline" in name]


@pytest.mark.parametrize("junk", [-1, True, "12", 1.5, 10**30, float("nan"), None])
def test_nothing_is_raised_for_any_counts(junk: Any) -> None:
    calls = Calls().warm()
    for usage in (Usage(junk, 1), Usage(1, junk), Usage(junk, junk), Usage(1, 1, junk, junk)):
        for model in ("gpt-4o", "gpt-99"):
            calls.call(usage, request_model=model, run="a", prompt=asked(LONG))
            calls.call(usage, request_model=model, run="a", error_type="X", attempts=2)
    assert calls.reasons() == set()


# One process.


def test_the_service_is_the_tracers_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    for provider in (TracerProvider(shutdown_on_exit=False), None):
        watch = Watch(provider=provider)
        assess(Facts("openai", "gpt-4o", usage=USUAL, start_ns=START), Attribution(), watch)
        assert list(watch.snapshot()) == [("shop", "unknown")]


def test_many_threads_lose_no_call() -> None:
    calls = Calls("*: retry_storm=100")
    prompt = asked("Where is my order?")
    facts = Facts("openai", "gpt-4o", usage=USUAL, start_ns=START, prompt=prompt)
    failed = facts._replace(usage=None, error_type="APIError")
    who = Attribution(step="plan", workflow_id="a")

    def work() -> None:
        for _ in range(200):
            assess(facts, who, calls.watch)
        for _ in range(12):
            assess(failed, who, calls.watch)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = calls.call(prompt=prompt, run="a")
    assert found.attributes["farthing.outlier.repeats"] == 1600
    assert found.attributes["farthing.baseline.count"] == 1600
    failures = [failing(calls, run="a") for _ in range(4)]
    assert failures == [set(), set(), set(), {"retry_storm"}]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_goes_on_with_a_copy(calls: Calls) -> None:
    """Also where another thread was in the middle of a call."""
    busy, stop = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            calls.call(attempts=2, run="a", prompt=asked("again"))
            busy.set()

    thread = threading.Thread(target=work)
    thread.start()
    busy.wait()
    try:
        for _ in range(4):
            child = os.fork()
            if not child:
                found = calls.call(Usage(1000, 5000), step="plan")
                os._exit(0 if "cost_outlier" in found.flags else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


class Slow(str):
    """A key that takes its time, in one thread."""

    def __new__(cls, _reached: threading.Event, _go_on: threading.Event) -> Slow:
        return super().__new__(cls, "slow")

    def __init__(self, reached: threading.Event, go_on: threading.Event) -> None:
        self._wait = lambda: (reached.set(), go_on.wait())

    def __hash__(self) -> int:
        self._wait()
        return 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_in_the_middle_of_a_call_holds_nobody_up(calls: Calls) -> None:
    reached, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: calls.call(run=Slow(reached, go_on)))
    thread.start()
    reached.wait()
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(len(calls.reasons(run="a")))
    go_on.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def offer(calls: Calls, first: int, last: int) -> None:
    """Keys that are all new."""
    for number in range(first, last):
        who = Attribution(step=f"step {number}", workflow_id=f"workflow {number}")
        prompt = Fingerprint(number, 9000, (number.to_bytes(8), b"12345678"))
        usage = Usage(1000 + number % 7, 100)
        facts = Facts("openai", "gpt-4o", usage=usage, start_ns=START, prompt=prompt, attempts=2)
        assess(facts, who, calls.watch)


@pytest.mark.slow
def test_memory_is_flat_at_a_million_distinct_keys() -> None:
    calls = Calls(limit=1000)
    offer(calls, 0, 10_000)
    tracemalloc.start()
    offer(calls, 10_000, 20_000)
    before, _ = tracemalloc.get_traced_memory()
    offer(calls, 20_000, 40_000)
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert traced < 1.1 * before + 100_000
    offer(calls, 40_000, 1_000_000)
    assert len(calls.watch.snapshot()) == 1000
