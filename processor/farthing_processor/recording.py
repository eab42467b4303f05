"""Recording: the catalogue's instruments, and what one assessed call adds to each.

Four records cost more than all the rest of a call, and twice as much one by one between other work
as in a row. So calls wait in a short queue, which is emptied when it is full, before every
collection, and at exit: nothing is lost, and each call is recorded once, by one thread.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry._logs import Logger, LoggerProvider, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from farthing_processor import events, runs, workflows
from farthing_processor import metrics as catalogue
from farthing_processor import semconv as names
from farthing_processor.assessment import Assessment
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.metrics import Metric
from farthing_processor.pricing import prices_age_s, prices_version
from farthing_processor.semconv import INFERENCE
from farthing_processor.settings import Settings
from farthing_processor.usage import Usage
from farthing_processor.version import VERSION
from farthing_processor.workflows import OTHER

Record = Callable[[float, dict[str, str], Context | None], None]

BATCH: Final = 32
"""Calls that wait, at most: a batch takes a millisecond or two, once in so many calls."""

LABEL_LENGTH: Final = 256


class Labels:
    """Keeps each label to a bounded number of distinct values: no caller can grow the series."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        free = (*catalogue.CALL_LABELS, names.WORKFLOW_OUTCOME)
        self._seen: dict[str, set[str]] = {name: set() for name in free}

    def of(self, labels: Iterable[str], values: Iterable[str | None]) -> dict[str, str]:
        """``values`` by the ``labels`` they are of, in a new dict: those that there are."""
        named: dict[str, str] = {}
        for name, value in zip(labels, values, strict=True):
            if value:
                seen = self._seen.get(name, _FIXED)
                if value not in seen and seen is not _FIXED and value not in _OUTCOMES:
                    if len(seen) >= self._limit or len(value) > LABEL_LENGTH:
                        value = OTHER
                    else:
                        seen.add(value)
                named[name] = value
        return named


_FIXED: Final[set[str]] = set()
"""For labels whose values are ours."""
_OUTCOMES: Final = frozenset(
    {runs.SUCCESS, runs.FAILED, runs.CANCELLED, runs.UNKNOWN, names.INTERRUPTED}
)
"""Outcomes that no number of own ones crowds out: what a success costs is divided by them."""


class Entry(NamedTuple):
    """One assessed call, with what only its metrics need. Immutable."""

    facts: Facts
    who: Attribution
    assessment: Assessment
    first_chunk_s: float | None = None
    """Seconds until the first chunk of a streamed answer."""
    context: Context | None = None
    """Holds the call's span, so that exemplars point to it."""
    assumed: tuple[str, ...] = ()
    """What was assumed of the counts of another tracer's span."""
    counted: bool = False
    """Whether another tracer records its tokens."""


class Recorder:
    """Records assessed calls. One for a meter and a set of settings; thread-safe."""

    def __init__(self, meter: Meter, logger: Logger, settings: Settings) -> None:
        self._logger = logger
        self._logged = settings.log_calls
        self._labels = Labels(settings.label_limit)
        self._instruments: dict[str, Record] = {
            metric.name: _instrument(meter, metric)
            for metric in catalogue.CATALOGUE
            if settings.semconv in metric.choices and metric.kind != "gauge"
        }
        self._operation_duration_for_inference = settings.semconv != "latest"
        age = catalogue.PRICES_AGE
        meter.create_observable_gauge(age.name, [_collecting], age.unit, age.description)

    def record(self, entry: Entry, logged: bool = False) -> None:
        """Record one call: soon, but with its workflow now, because that may end before.

        ``logged`` is whether it becomes an event where the settings do not ask for that too.
        """
        if (run := entry.who.run) is not None:
            workflows.add(self, run, entry)
        _waiting.append((self, entry))
        if len(_waiting) >= BATCH:
            flush()
        if logged or self._logged:
            events.step_cost(self._logger, entry)

    def add(self, entry: Entry) -> None:
        """Record one call, now."""
        facts, who, assessment, first_chunk_s, context, assumed, counted = entry
        labels = self._labels.of(catalogue.CALL_LABELS, workflows.payer(facts, who))
        failed = {**labels, names.ERROR_TYPE: facts.error_type} if facts.error_type else labels
        inference = facts.operation in INFERENCE
        usage = None if counted else facts.usage

        def put(metric: Metric, value: float, values: dict[str, str] = labels) -> None:
            record = self._instruments.get(metric.name)
            if record is not None:
                record(value, values, context)

        if facts.duration_s is not None:
            if inference:
                put(catalogue.INFERENCE_DURATION, facts.duration_s, failed)
            if not inference or self._operation_duration_for_inference:
                put(catalogue.OPERATION_DURATION, facts.duration_s, failed)
        if first_chunk_s is not None:
            put(catalogue.TIME_TO_FIRST_CHUNK, first_chunk_s)
            if inference:
                put(catalogue.INFERENCE_TIME_TO_FIRST_CHUNK, first_chunk_s)
        if usage is not None:
            usage = usage.billed()
            for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                if count is not None:
                    put(catalogue.TOKEN_USAGE, count, {**labels, names.TOKEN_TYPE: kind})
            if inference and catalogue.INFERENCE_INPUT.name in self._instruments:
                self._record_inference_tokens(usage, labels, put)
        if assessment.cost is not None:
            money = {
                names.COST_CURRENCY: names.CURRENCY_USD,
                names.COST_SOURCE: assessment.source,
            }
            # A series for each table there was: of a model there is one at a time.
            if prices := assessment.attributes.get(names.COST_PRICES):
                money[names.COST_PRICES] = str(prices)
            put(catalogue.COST, assessment.cost, {**labels, **money})
            if assessment.other is not None:
                put(catalogue.DISAGREEMENTS, 1, {**labels, names.COST_SOURCE: assessment.source})
            saved = assessment.cache_savings
            if saved > 0:
                put(catalogue.CACHE_SAVINGS, saved)
            elif saved < 0:
                put(catalogue.CACHE_SURCHARGES, -saved)
            if (reason := workflows.wasted(facts, assessment)) is not None:
                put(catalogue.WASTE, assessment.cost, {**labels, names.WASTE_REASON: reason})
        elif assessment.reason is not None:
            put(catalogue.UNPRICED, 1, {**labels, names.UNPRICED_REASON: assessment.reason})
        for assumption in assumed:
            put(catalogue.ASSUMED, 1, {**labels, names.ASSUMPTION: assumption})
        if facts.attempts > 1:
            put(catalogue.RETRIES, facts.attempts - 1, failed)
        for reason in assessment.flags:
            if reason != names.COLD_THRESHOLD:
                put(catalogue.OUTLIERS, 1, {**labels, names.OUTLIER_REASON: reason})

    def put(
        self, metric: Metric, value: float, values: Iterable[str | None], context: Context
    ) -> None:
        """Record one value of ``metric``, now; ``values`` are those of its labels."""
        record = self._instruments.get(metric.name)
        if record is not None:
            record(value, self._labels.of(metric.labels, values), context)

    def _record_inference_tokens(
        self, usage: Usage, labels: dict[str, str], put: Callable[..., None]
    ) -> None:
        for metric, per_call, total, audio, image, video in (
            (
                catalogue.INFERENCE_INPUT,
                catalogue.INFERENCE_INPUT_PER_CALL,
                usage.input_tokens,
                usage.input_audio_tokens,
                usage.input_image_tokens,
                usage.input_video_tokens,
            ),
            (
                catalogue.INFERENCE_OUTPUT,
                catalogue.INFERENCE_OUTPUT_PER_CALL,
                usage.output_tokens,
                usage.output_audio_tokens,
                usage.output_image_tokens,
                usage.output_video_tokens,
            ),
            (
                catalogue.INFERENCE_CACHE_READ,
                None,
                usage.cache_read_tokens or None,
                usage.cache_read_audio_tokens,
                usage.cache_read_image_tokens,
                0,
            ),
            (catalogue.INFERENCE_CACHE_WRITE, None, usage.cache_write_tokens or None, 0, 0, 0),
            (catalogue.INFERENCE_REASONING, None, usage.reasoning_tokens or None, 0, 0, 0),
        ):
            if total is None:
                continue
            if per_call is not None:
                put(per_call, total)
            for modality, count in _by_modality(total, audio, image, video):
                put(metric, count, {**labels, names.TOKEN_MODALITY: modality})


def _by_modality(total: int, audio: int, image: int, video: int) -> Iterable[tuple[str, int]]:
    """Counts that sum to ``total``: by modality where the provider broke it down, else unknown.

    ``gen_ai.token.modality`` has no value for video.
    """
    if not (audio or image or video):
        return (("unknown", total),)
    text = max(total - audio - image - video, 0)
    parts = (("text", text), ("audio", audio), ("image", image), ("unknown", video))
    return [(modality, count) for modality, count in parts if count]


def recorder(
    settings: Settings,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Recorder:
    """The recorder over providers, or over the global ones: one for each way to record."""
    provider = meter_provider or metrics.get_meter_provider()
    made = _recorders.setdefault(provider, {})
    way = settings.semconv, settings.label_limit, settings.log_calls, logger_provider
    if way not in made:
        meter = metrics.get_meter(names.SCOPE, VERSION, provider, names.SCHEMA_URL)
        logger = get_logger(names.SCOPE, VERSION, logger_provider, names.SCHEMA_URL)
        made[way] = Recorder(meter, logger, settings)
    return made[way]


_recorders: Final[WeakKeyDictionary[MeterProvider, dict[tuple[object, ...], Recorder]]] = (
    WeakKeyDictionary()
)


def _instrument(meter: Meter, metric: Metric) -> Record:
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.description).add
    return meter.create_histogram(
        metric.name,
        metric.unit,
        metric.description,
        explicit_bucket_boundaries_advisory=metric.buckets,
    ).record


_log: Final = logging.getLogger("farthing")
_waiting: Final[deque[tuple[Recorder, Entry]]] = deque()
_before_collection: Final[list[Callable[[], None]]] = []


def flush() -> None:
    """Record every call that waits."""
    while True:
        try:
            # Atomic: of several threads that flush at once, one gets each call.
            recorder, entry = _waiting.popleft()
        except IndexError:
            return
        try:
            recorder.add(entry)
        except Exception:
            _log.debug("The metrics of a call were not recorded", exc_info=True)


def before_collection(hook: Callable[[], None]) -> None:
    """Have ``hook`` called before each collection, for calls that only then are known to be over.

    The SDK holds no lock of an instrument at that moment.
    """
    _before_collection.append(hook)


def _collecting(_options: CallbackOptions) -> Iterable[Observation]:
    """The gauge's callback: the SDK calls it before it looks at any other instrument."""
    for hook in _before_collection:
        hook()
    flush()
    return [Observation(prices_age_s(), {names.COST_PRICES: prices_version()})]


# The SDK collects once more at exit, later than this: what registers last runs first.
atexit.register(flush)
if hasattr(os, "register_at_fork"):
    # What waits at a fork is the parent's to record.
    os.register_at_fork(after_in_child=_waiting.clear)
