"""Instrumenting the client libraries of this process, and undoing it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from farthing import patching, telemetry
from farthing.frameworks import FRAMEWORKS
from farthing.providers import LIBRARIES
from farthing.providers.generated import patches
from farthing_processor import handover, settings
from farthing_processor.pricing import configuring, tables

if TYPE_CHECKING:
    from farthing_processor.span_processor import CostSpanProcessor

_lock: Final = threading.Lock()
_last: Final[list[object]] = []
"""The arguments of the last `instrument` that changed anything."""
_attached: Final[WeakKeyDictionary[TracerProvider, CostSpanProcessor]] = WeakKeyDictionary()
"""The tracer providers whose spans are priced, and by what: nothing can be taken off one again."""
_said: Final[set[str]] = set()
"""What was found wrong with settings; said once."""


def instrument(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    **options: object,
) -> None:
    """Have every call of the known client libraries recorded and priced.

    Libraries that are not imported yet are instrumented when they are; none is imported for you.
    Without a provider the global one is used, whether it is set before or after. ``options`` are
    the settings of `farthing_processor.settings`, such as ``semconv="both"``; they win over the
    environment. Calling it again with arguments replaces what was said before; saying nothing keeps
    it, so that what a configuration file said is not undone by a line of code that has no opinion.
    Never raises: a setting that cannot be used is logged and left out.
    """
    try:
        chosen, problems = settings.load(options)
        providers = tracer_provider, meter_provider, logger_provider
        asked = [*providers, chosen]
        said_something = any(providers) or bool(options)
        with _lock:
            if telemetry.current() is None or (said_something and asked != _last):
                problems += configuring.use(chosen)
                telemetry.use(telemetry.make(chosen, *providers))
                _last[:] = asked
            _price_spans(tracer_provider or trace.get_tracer_provider())
            for problem in problems:
                if problem not in _said:
                    _said.add(problem)
                    telemetry.log.warning("%s", problem)
            for library in LIBRARIES:
                patching.apply(patches(library))
            for framework in FRAMEWORKS.values():
                patching.apply(framework)
            _send_to_run(*providers)
    except Exception as error:
        state = "not recorded" if telemetry.current() is None else "recorded as before"
        telemetry.log.warning("farthing.instrument() failed, so calls are %s: %s", state, error)


def follow(
    tracer_provider: TracerProvider, meter_provider: MeterProvider, logger_provider: LoggerProvider
) -> None:
    """Have calls report to these providers from now on, by the settings in use."""
    with _lock:
        current = telemetry.current()
        if current is not None:
            providers = tracer_provider, meter_provider, logger_provider
            telemetry.use(telemetry.make(current.settings, *providers))
            _price_spans(tracer_provider)
            _send_to_run(*providers)


def _send_to_run(
    tracer_provider: TracerProvider | None,
    meter_provider: MeterProvider | None,
    logger_provider: LoggerProvider | None,
) -> None:
    """Have these providers, or the global ones, send to `farthing run` too, where that runs us."""
    if handover.ENDPOINT not in os.environ:
        return
    # Imported here: nobody else has need of it.
    from farthing import local_export

    local_export.attach(
        tracer_provider or trace.get_tracer_provider(),
        meter_provider or metrics.get_meter_provider(),
        logger_provider or get_logger_provider(),
    )


def _price_spans(provider: TracerProvider) -> None:
    """Have the spans of other tracers priced, where there is an SDK that makes them."""
    current = telemetry.current()
    if current is None or not hasattr(provider, "add_span_processor"):
        return
    # Imported here: without an SDK nobody needs it.
    from farthing_processor.span_processor import CostSpanProcessor

    processor = _attached.get(provider)
    if not current.settings.price_spans:
        if processor is not None:
            processor.active = False
    elif processor is None:
        processor = _attached[provider] = CostSpanProcessor.over(
            current.settings, current.recorder, current.watch
        )
        cast(Any, provider).add_span_processor(processor)
    else:
        processor.use(current.settings, current.recorder, current.watch)


def prices_spans_of(provider: TracerProvider) -> bool:
    """Whether the spans that ``provider`` makes for other tracers are priced."""
    processor = _attached.get(provider)
    return processor is not None and processor.active


def uninstrument() -> None:
    """Leave the client libraries as they were. Calls already begun are still recorded in full."""
    with _lock:
        telemetry.use(None)
        tables.refresh_from(None)
        patching.undo()
        for processor in _attached.values():
            processor.active = False
