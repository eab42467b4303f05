"""Instrumenting the client libraries of this process, and undoing it."""

from __future__ import annotations

import threading
from typing import Final

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from farthing import patching, telemetry
from farthing.providers import LIBRARIES
from farthing.providers.generated import patches
from farthing_processor import settings
from farthing_processor.pricing import rules, tables

_lock: Final = threading.Lock()
_last: Final[list[object]] = []
"""The arguments of the last `instrument` that changed anything."""
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
                problems += rules.use_file(chosen.prices)
                tables.keep_at(chosen.prices_table)
                tables.refresh_from(chosen.prices_refresh)
                telemetry.use(telemetry.make(chosen, *providers))
                _last[:] = asked
            for problem in problems:
                if problem not in _said:
                    _said.add(problem)
                    telemetry.log.warning("%s", problem)
            for library in LIBRARIES:
                patching.apply(patches(library))
    except Exception as error:
        state = "not recorded" if telemetry.current() is None else "recorded as before"
        telemetry.log.warning("farthing.instrument() failed, so calls are %s: %s", state, error)


def uninstrument() -> None:
    """Leave the client libraries as they were. Calls already begun are still recorded in full."""
    with _lock:
        telemetry.use(None)
        tables.refresh_from(None)
        patching.undo()
