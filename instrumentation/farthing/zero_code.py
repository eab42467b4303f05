"""What ``opentelemetry-instrument`` loads: farthing attached with no line of the application's."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from farthing._instrument import instrument, uninstrument


def attach() -> None:
    """Instrument before any instrumentor runs (entry point ``opentelemetry_pre_instrument``).

    An instrumentor that fails keeps all later ones from loading; ours is then already there.
    ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` turns us off by name or with ``*``, although it does
    not reach this entry point. Never raises: an exception here would end all instrumentation.
    """
    disabled = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    if {"farthing", "*"}.isdisjoint(name.strip() for name in disabled):
        instrument()


class FarthingInstrumentor(BaseInstrumentor):
    """The same as an OpenTelemetry instrumentor, so that a configuration file can pass options.

    Options under ``instrumentation/development.python.farthing`` arrive as keyword arguments.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: a client library is instrumented when it is imported, and needs not be there."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        instrument(**kwargs)

    def _uninstrument(self, **kwargs: Any) -> None:
        uninstrument()
