"""Sending everything to ``farthing run`` as well, beside whatever the application itself sends to.

`start` sets a process up as ``opentelemetry-instrument`` does; `attach` adds exporters of our own
to providers, whoever made them: OpenTelemetry's variables, a configuration file, or the
application.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

import opentelemetry._logs
import opentelemetry.metrics
import opentelemetry.trace
import wrapt

from farthing_processor import handover

if TYPE_CHECKING:
    import requests

_SIGNALS: Final = ("TRACES", "METRICS", "LOGS")

_QUEUE: Final = 100_000
"""Spans that may wait: what is sent to this machine alone is sent quickly, and none is dropped."""
_BATCH: Final = 512
_DELAY_MS: Final = 300
"""How old what the page shows may be."""
_METRICS_MS: Final = 10_000
_TIMEOUT_S: Final = 5.0

_attached: Final[dict[int, tuple[weakref.ref[Any], Any]]] = {}
"""The providers that send there, each with what sends for it, by identity: one may be no key."""


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
        if _attached:
            _let_the_application_choose()
    except Exception:
        return False
    return bool(_attached) and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


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


def attach(*providers: object) -> None:
    """Have these providers send to ``farthing run``, where that has started us; never raises.

    A provider that has no such place, as the API's own, is left alone.
    """
    endpoint = os.environ.get(handover.ENDPOINT)
    if not endpoint:
        return
    for provider in providers:
        for method, make in _SENDERS.items():
            if hasattr(provider, method) and id(provider) not in _attached:
                with contextlib.suppress(Exception):
                    sender = make(endpoint)
                    getattr(provider, method)(sender)
                    _attached[id(provider)] = _forgetting(provider), sender
    if _attached and not _watched:
        _watched.append(True)
        # Before the providers' own: one that ends leaves out a reader that it was given later.
        atexit.register(flush)
        wrapt.register_post_import_hook(_flush_with_children, "multiprocessing.util")


def _forgetting(provider: object) -> weakref.ref[object]:
    key = id(provider)
    return weakref.ref(provider, lambda _: _attached.pop(key, None))


_watched: Final[list[bool]] = []


def _spans(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", **_how())
    return BatchSpanProcessor(exporter, _QUEUE, _DELAY_MS, _BATCH)


def _points(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics", **_how())
    return PeriodicExportingMetricReader(exporter, _METRICS_MS)


def _records(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    exporter = OTLPLogExporter(f"{endpoint}/v1/logs", **_how())
    return BatchLogRecordProcessor(exporter, _DELAY_MS, _BATCH, max_queue_size=_QUEUE)


_SENDERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "add_span_processor": _spans,
    "add_metric_reader": _points,
    "add_log_record_processor": _records,
}
"""How a provider of each signal takes one more receiver, and how that is made."""


def _how() -> dict[str, Any]:
    """Arguments of an exporter, so that what the user set for another backend is not used here."""
    from opentelemetry.exporter.otlp.proto.http import Compression

    return {
        "headers": {"user-agent": "farthing"},
        "timeout": _TIMEOUT_S,
        "compression": Compression.NoCompression,
        "session": _session(),
    }


def _session() -> requests.Session:
    import requests

    session = requests.Session()
    session.trust_env = False  # no proxy stands between two programs of one machine
    return session


def _flush_with_children(util: Any) -> None:
    """Send what is left when a child that `multiprocessing` forked ends: it skips ``atexit``."""

    def in_child(_: object) -> None:
        util.Finalize(None, flush, exitpriority=0)

    util.register_after_fork(flush, in_child)


def flush() -> None:
    """Send what is left, now."""
    for _, sender in list(_attached.values()):
        with contextlib.suppress(Exception):
            sender.force_flush()


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
            from farthing._instrument import follow

            follow(
                opentelemetry.trace.get_tracer_provider(),
                opentelemetry.metrics.get_meter_provider(),
                opentelemetry._logs.get_logger_provider(),
            )
        return result

    return set_provider
