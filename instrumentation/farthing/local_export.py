"""Sending everything to ``farthing run`` as well, beside whatever the application itself sends to.

`attach` adds exporters of our own to providers, whoever made them: OpenTelemetry's variables, a
configuration file, or the application.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import wrapt

from farthing_processor import handover

if TYPE_CHECKING:
    import requests

_QUEUE: Final = 100_000
"""Spans that may wait: what is sent to this machine alone is sent quickly, and none is dropped."""
_BATCH: Final = 512
_DELAY_MS: Final = 300
"""How old what the page shows may be."""
_METRICS_MS: Final = 10_000
_TIMEOUT_S: Final = 5.0

_attached: Final[dict[int, tuple[weakref.ref[Any], Any]]] = {}
"""The providers that send there, each with what sends for it, by identity: one may be no key."""


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


def sends() -> bool:
    """Whether anything is sent there."""
    return bool(_attached)


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
