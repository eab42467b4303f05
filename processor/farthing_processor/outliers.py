"""Outliers: whether a call is normal, by what its step usually costs and by what came before it.

Each reason has its test, and the numbers that made it are on the span:

=====================  =========================================  ================================
reason                 more than                                  on the span
=====================  =========================================  ================================
cost_outlier           ``factor`` x the step's median cost, and   cost, baseline.*, outlier.ratio,
                       ``min_usd``                                outlier.cost_limit
cold_threshold         ``cold_usd``, where the step has no        cost, baseline.source and .count,
                       median yet                                 outlier.cost_limit
context_growth         ``context_growth`` x the input of the      input tokens, outlier.input_limit,
                       first call of the step in the workflow,    outlier.first_input_tokens
                       since when no call had less than the last
completion_spike       ``completion_spike`` x the step's median   output tokens,
                       output                                     baseline.output_p50,
                                                                  outlier.output_limit
retry_storm            (or as many as) ``retry_storm`` failed     outlier.failures and
                       attempts of the step in a minute, the      .failures_limit
                       client's own included
repeated_prompt        (or as many as) ``repeated_prompt``        outlier.repeats
                       earlier answers to the same model and
                       prompt in the workflow
large_uncached_prefix  ``large_uncached_prefix`` input tokens     input tokens,
                       without a cache, where the prompt begins   outlier.prefix_limit,
                       as the step's last one did and a cache     .stable_tokens, .avoidable_cost
                       would save money
low_yield              ``low_yield`` x the output                 input and output tokens,
                                                                  outlier.yield_limit
=====================  =========================================  ================================

``cold_threshold`` alone is no finding, as it says nothing of what is usual: such a call is not
``farthing.outlier.detected``, and not counted in ``farthing.outliers``. Every other reason is both.
A call that costs less than ``min_usd`` is given none of the reasons that its size makes (all but
``cold_threshold``, ``retry_storm`` and ``repeated_prompt``).

What a call does here, by what it is:

=============================  ========================  =========================================
call                           part of the baseline      judged by
=============================  ========================  =========================================
priced, free, reported         cost, tokens              everything
partial                        cost, tokens              everything: the same is missing each time
inconsistent                   nothing                   retries, repetition
estimated, or a stream cut     nothing                   cost, repetition
unpriced, usage missing        tokens, as far as known   everything but cost
failed, and billed             nothing                   cost, retries
failed, nothing billed         nothing                   retries
stopped by the application     nothing                   cost, retries before that
embedding, speech              cost, input               everything but completion_spike, low_yield
result of a batch              cost, tokens, of its own  everything but what needs a request
                               step, ``NAME (batch)``
another tracer's span          as ours                   everything but what needs a request
duplicate of a paid call       never comes here
=============================  ========================  =========================================
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from opentelemetry import trace

from farthing_processor import semconv as names
from farthing_processor.attribution import UNKNOWN_STEP, Attribution
from farthing_processor.baselines import Baselines
from farthing_processor.facts import Facts
from farthing_processor.judging import (
    Said,
    alike,
    judge_cost,
    judge_growth,
    judge_output,
    judge_prefix,
    learnt,
)
from farthing_processor.prompts import FIRST, Fingerprint
from farthing_processor.semconv import INFERENCE
from farthing_processor.snapshots import Snapshot, merged
from farthing_processor.thresholds import OFF, Rules, Thresholds
from farthing_processor.usage import Usage

LIMIT: Final = 10_000
"""Steps, workflows' steps and workflows' prompts that are kept in mind, of each the latest."""
STORM_NS: Final = 60 * 10**9
"""The time in which failed attempts make a storm."""
FAILURES: Final = 100
"""Failed attempts kept of a step, the latest."""
CACHE_NS: Final = 300 * 10**9
"""How long a prompt cache lasts unless it is used, at least: 5 minutes at OpenAI
(https://platform.openai.com/docs/guides/prompt-caching) and at Anthropic
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching)."""
CACHEABLE: Final = 1024
"""Tokens of the shortest prefix that OpenAI and most models of Anthropic cache (the same pages)."""
UNKNOWN_SERVICE: Final = "unknown_service"
"""What the resource conventions call a service without a name."""

_STOPPED: Final = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})
"""Errors by which the application itself ended a call: no attempt has failed."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Watch:
    """Compares every call with what is usual. One for a process and its settings.

    Thread-safe; bounded in all that it keeps; a child process goes on with a copy.
    """

    def __init__(
        self,
        rules: Rules = Rules(),  # noqa: B008 - immutable
        loaded: Snapshot | None = None,
        *,
        provider: object = None,
        tells_prompts: bool = False,
        clock: Callable[[], int] = time.time_ns,
        limit: int = LIMIT,
    ) -> None:
        """``loaded`` speaks for steps that have too few calls yet. The service is the one that the
        tracer ``provider`` names, or the global one. ``tells_prompts`` is whether a prompt's
        fingerprint may leave the process, ``clock`` gives nanoseconds since the epoch."""
        self._rules = rules
        self._tells_prompts = tells_prompts
        self._clock = clock
        self._provider = provider
        self._service: str | None = None
        # Of which there is one, but for steps with a minimum count of their own.
        self._baselines = {
            count: Baselines(loaded, minimum=count, limit=limit) for count in rules.counts()
        }
        self._of = lru_cache(maxsize=4096)(self._rules_of)
        self._inputs: _Latest[tuple[str, str], tuple[int, int]] = _Latest(limit)
        """(workflow, step) → input tokens of the first and of the last call."""
        self._failed: _Latest[str, deque[int]] = _Latest(limit)
        """Step → when its attempts failed."""
        self._prompts: _Latest[tuple[str, int], int] = _Latest(limit)
        """(workflow, prompt) → how often it was answered."""
        self._prefixes: _Latest[str, tuple[tuple[bytes, ...], int, int]] = _Latest(limit)
        """Step → the prefixes of its last prompt, since when they begin alike, and until when."""

    def _rules_of(self, step: str) -> tuple[Thresholds, Baselines]:
        limits = self._rules.of(step)
        return limits, self._baselines[limits.min_count]

    def snapshot(self) -> Snapshot:
        """Copies of all baselines, as they are now."""
        now_ns = self._clock()
        return merged(*(baselines.snapshot(now_ns) for baselines in self._baselines.values()))

    def wants(self, who: Attribution) -> tuple[bool, bool]:
        """Of a call that begins: whether a fingerprint of its prompt is of any use, and whether of
        the whole of it."""
        limits, _ = self._of(who.step or UNKNOWN_STEP)
        repeats = who.workflow_id is not None and limits.repeated_prompt != OFF
        whole = repeats or self._tells_prompts
        return whole or limits.large_uncached_prefix != OFF, whole

    def judge(
        self,
        facts: Facts,
        who: Attribution,
        status: str | None = None,
        cost: float | None = None,
        due: Usage | None = None,
        model: str | None = None,
        said: Said | None = None,
    ) -> tuple[list[str], Said]:
        """The reasons why a call that has ended is not normal, and the span attributes that say
        so, added to ``said``; from now on the call is part of what is usual.

        ``status`` and ``cost`` (USD) are those of its assessment, ``due`` and ``model`` what it was
        priced by; all None where it cannot have cost anything.
        """
        step = who.step or UNKNOWN_STEP
        limits, baselines = self._of(step)
        now_ns = self._clock()
        reasons: list[str] = []
        if said is None:
            said = {}
        error, prompt, workflow = facts.error_type, facts.prompt, who.workflow_id
        if status is not None:
            usual_cost, inputs, outputs = learnt(facts, status, cost)
            kept_as = f"{step} (batch)" if due is not None and due.batch else step
            service = self._service or self._named()
            usual = baselines.observe(service, kept_as, now_ns, usual_cost, inputs, outputs)
            if cost is not None and status != "inconsistent":
                judge_cost(cost, usual, limits, reasons, said)
            worth = cost is None or cost >= limits.min_usd
            if inputs is not None:
                if workflow is not None:
                    first = self._first_input(workflow, step, inputs)
                    if worth and inputs > limits.context_growth * first:
                        judge_growth(first, limits, reasons, said)
                if worth and outputs is not None and facts.operation in INFERENCE:
                    judge_output(inputs, outputs, usual, limits, reasons, said)
            if prompt is not None and error is None:
                if prompt.whole is not None and workflow is not None:
                    self._judge_prompt((workflow, prompt.whole), limits, reasons, said)
                if prompt.prefixes and due is not None:
                    tokens = self._uncached(step, facts, prompt, inputs, now_ns, limits)
                    if worth and tokens:
                        judge_prefix(tokens, facts, who, due, model, limits, reasons, said)
        if error is not None or facts.attempts > 1:
            self._judge_failures(step, facts, now_ns, limits, reasons, said)
        if reasons:
            said[names.OUTLIER_REASONS] = reasons
            if reasons != _COLD:
                said[names.OUTLIER_DETECTED] = True
        if self._tells_prompts and prompt is not None and prompt.whole is not None:
            said[names.PROMPT_HASH] = f"{prompt.whole:016x}"
        return reasons, said

    def _named(self) -> str:
        """The service's name, which is looked for until there is an SDK that says it."""
        provider = self._provider or trace.get_tracer_provider()
        resource: Any = getattr(provider, "resource", None)
        if resource is None:
            return os.environ.get("OTEL_SERVICE_NAME") or UNKNOWN_SERVICE
        self._service = service = str(resource.attributes.get("service.name") or UNKNOWN_SERVICE)
        return service

    def _first_input(self, workflow: str, step: str, inputs: int) -> int:
        """The input tokens from which a workflow's step has grown to ``inputs``."""
        key = workflow, step
        with _lock:
            first, last = self._inputs.get(key, (inputs, inputs))
            if inputs < last:  # not grown: another task, or a context that was cut
                first = inputs
            self._inputs.keep(key, (first, inputs))
        return first

    def _judge_prompt(
        self, key: tuple[str, int], limits: Thresholds, reasons: list[str], said: Said
    ) -> None:
        with _lock:
            earlier = self._prompts.get(key, 0)
            self._prompts.keep(key, earlier + 1)
        if earlier >= limits.repeated_prompt:
            reasons.append(names.REPEATED_PROMPT)
            said[names.OUTLIER_REPEATS] = earlier

    def _uncached(
        self,
        step: str,
        facts: Facts,
        prompt: Fingerprint,
        inputs: int | None,
        now_ns: int,
        limits: Thresholds,
    ) -> int:
        """How many tokens this prompt begins with as the step's last one did, at the least, if a
        cache could have had them and none was used; else 0.

        They are its share of the prompt's bytes.
        """
        with _lock:
            before, since_ns, until_ns = self._prefixes.get(step, ((), 0, 0))
            shared = alike(before, prompt.prefixes)
            self._prefixes.keep(
                step, (prompt.prefixes, since_ns if shared else now_ns, max(now_ns, until_ns))
            )
        usage = facts.usage
        if not shared or usage is None or inputs is None or inputs <= limits.large_uncached_prefix:
            return 0
        if usage.cache_read_tokens or usage.cache_write_tokens:
            return 0
        if not since_ns <= facts.start_ns <= until_ns + CACHE_NS:
            return 0
        tokens = inputs * (FIRST << (shared - 1)) // prompt.size
        return tokens if tokens >= CACHEABLE else 0

    def _judge_failures(
        self,
        step: str,
        facts: Facts,
        now_ns: int,
        limits: Thresholds,
        reasons: list[str],
        said: Said,
    ) -> None:
        error = facts.error_type
        failed = facts.attempts - (error is None)
        if error is not None and error.rpartition(".")[2] in _STOPPED:
            failed -= 1
        if (facts.duration_s or 0) * 1e9 > STORM_NS:
            # Of the last attempt alone it is known that it ended within the minute.
            failed = min(failed, int(error is not None))
        if failed <= 0:
            return
        with _lock:
            times = self._failed.get(step, deque(maxlen=FAILURES))
            self._failed.keep(step, times)
            times.extend([now_ns] * min(failed, FAILURES))
            count = sum(1 for at_ns in tuple(times) if at_ns > now_ns - STORM_NS)
        if count >= limits.retry_storm:
            reasons.append(names.RETRY_STORM)
            said[names.OUTLIER_FAILURES] = count
            said[names.OUTLIER_FAILURES_LIMIT] = limits.retry_storm


_COLD: Final = [names.COLD_THRESHOLD]


class _Latest(Generic[_K, _V]):
    """Values by key, in two generations: when the recent one is full, the older is forgotten."""

    __slots__ = ("_half", "_older", "_recent")

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._recent: dict[_K, _V] = {}
        self._older: dict[_K, _V] = {}

    def get(self, key: _K, default: _V) -> _V:
        value = self._recent.get(key)
        return self._older.get(key, default) if value is None else value

    def keep(self, key: _K, value: _V) -> None:
        recent = self._recent
        recent[key] = value
        if len(recent) > self._half:
            self._older, self._recent = recent, {}


# One lock for all: it is held for a microsecond. Reentrant because a finalizer or a signal handler
# may end a call in the middle of another's.
_lock = threading.RLock()


def _after_fork_in_child() -> None:
    """Whoever held it is not there any more; what it guards is whole after each of its steps."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
