"""Telemetry: what every call reports to, set up once and swapped whole.

Nothing here installs a global provider: farthing uses the application's own, given or global.
"""

from __future__ import annotations

import functools
import logging
from typing import Final, NamedTuple

from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider, get_logger
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Tracer, TracerProvider

from farthing.capture import Capture
from farthing_processor import semconv as names
from farthing_processor.outliers import Watch
from farthing_processor.recording import Recorder, recorder
from farthing_processor.settings import Settings, load
from farthing_processor.version import VERSION
from farthing_processor.watching import watch

log: Final = logging.getLogger("farthing")


class Telemetry(NamedTuple):
    """Where calls report to, and how. Immutable."""

    tracer: Tracer
    recorder: Recorder
    watch: Watch
    capture: Capture
    settings: Settings
    given: bool
    """Whether a provider was given in code, so that a missing global one does not matter."""

    def heard(self) -> bool:
        """Whether anything listens. Without an SDK a call is left alone altogether."""
        return self.given or not (
            isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
            and type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider"
        )


def make(
    settings: Settings,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Telemetry:
    """Telemetry over the given providers, or over the global ones, now or whenever they come."""
    tracer = trace.get_tracer(names.SCOPE, VERSION, tracer_provider, names.SCHEMA_URL)
    logger = get_logger(names.SCOPE, VERSION, logger_provider, names.SCHEMA_URL)
    given = any((tracer_provider, meter_provider, logger_provider))
    capture = Capture(logger, settings)
    return Telemetry(
        tracer,
        recorder(settings, meter_provider, logger_provider),
        watch(settings, meter_provider, tracer_provider),
        capture,
        settings,
        given,
    )


_current: Final[list[Telemetry | None]] = [None]


def current() -> Telemetry | None:
    """What calls report to now; None while nothing is instrumented."""
    return _current[0]


def in_use() -> Telemetry:
    """What a call reports to that the application itself tells of: without `farthing.instrument`,
    the global providers."""
    return current() or _global()


@functools.cache
def _global() -> Telemetry:
    chosen, problems = load({})
    for problem in problems:
        log.warning("%s", problem)
    return make(chosen)


def use(telemetry: Telemetry | None) -> None:
    """Have every call from now on report to ``telemetry``."""
    _current[0] = telemetry
