"""Setting up a process that ``farthing run`` has started, as ``opentelemetry-instrument`` would."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import opentelemetry._logs
import opentelemetry.metrics
import opentelemetry.trace
import wrapt

from farthing import local_export
from farthing._instrument import follow
from farthing_processor import handover

_SIGNALS: Final = ("TRACES", "METRICS", "LOGS")


def start() -> bool:
    """Set this process up; whether anything is sent. Never raises.

    Where the user asked for no exporter of a signal, it goes to ``farthing run`` alone, and not to
    the default endpoint. What is set for this is taken back: programs that this one starts see the
    user's environment.
    """
    try:
        from opentelemetry.instrumentation import (
            auto_instrumentation,  # pyright: ignore[reportMissingTypeStubs]
        )

        with _set(_defaults(os.environ)):
            auto_instrumentation.initialize()
        if local_export.sends():
            _let_the_application_choose()
    except Exception:
        return False
    return (
        local_export.sends() and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
    )


def _defaults(environ: Mapping[str, str]) -> dict[str, str]:
    """What is to be set of OpenTelemetry's variables, of those that the user has not set."""
    unasked = [signal for signal in _SIGNALS if not _asked_for(signal, environ)]
    chosen = {f"OTEL_{signal}_EXPORTER": "none" for signal in unasked}
    chosen["OTEL_TRACES_SAMPLER"] = "always_on"
    service = environ.get(handover.SERVICE)
    named = "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if service and not named and len(unasked) == len(_SIGNALS):
        chosen["OTEL_SERVICE_NAME"] = service
    return {name: value for name, value in chosen.items() if not environ.get(name)}


def _asked_for(signal: str, environ: Mapping[str, str]) -> bool:
    """Whether the user has said where a signal is to go."""
    return any(
        environ.get(name)
        for name in (
            f"OTEL_{signal}_EXPORTER",
            f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        )
    )


@contextlib.contextmanager
def _set(variables: Mapping[str, str]) -> Generator[None]:
    """Set them for a while; what a distribution of OpenTelemetry sets is taken back as well."""
    before = _opentelemetrys()
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in _opentelemetrys().keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _opentelemetrys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}


def _let_the_application_choose() -> None:
    """Let providers that the application sets take the place of those that were set for it.

    Otherwise what it sends elsewhere would be lost under us: the API refuses to set one twice.
    """
    for module, signal in (
        (opentelemetry.trace, "tracer"),
        (opentelemetry.metrics, "meter"),
        (opentelemetry._logs, "logger"),
    ):
        name = f"set_{signal}_provider"
        once = f"_{signal.upper()}_PROVIDER_SET_ONCE"
        holder = getattr(module, "_internal", module)
        wrapt.wrap_function_wrapper(module, name, _once_more(getattr(holder, once, None)))


def _once_more(once: Any) -> Callable[..., Any]:
    first = [True]

    def set_provider(wrapped: Callable[..., Any], _: object, args: Any, kwargs: Any) -> Any:
        if first and hasattr(once, "_done"):
            first.clear()
            once._done = False
        result = wrapped(*args, **kwargs)
        with contextlib.suppress(Exception):
            follow(
                opentelemetry.trace.get_tracer_provider(),
                opentelemetry.metrics.get_meter_provider(),
                opentelemetry._logs.get_logger_provider(),
            )
        return result

    return set_provider
