"""The examination behind ``farthing doctor``: does this environment record, price and export?

It sets up OpenTelemetry as ``opentelemetry-instrument`` would, looks at what came of it, and sends
one empty export to the endpoint. Every finding is a sentence; a bad one says what to do.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import MetricsData

from farthing import patching, telemetry
from farthing._instrument import prices_spans_of
from farthing.frameworks import FRAMEWORKS, missing
from farthing.providers import LIBRARIES
from farthing.providers.generated import patches
from farthing_processor import semconv as names
from farthing_processor import settings, snapshots
from farthing_processor.pricing import prices_age_s, prices_version, rules_file, tables

STALE_DAYS = 60
"""Prices move every few weeks: older than this, new models are missing from the table."""


class _Heard(logging.Handler):
    """Keeps what OpenTelemetry logs, for the findings to quote instead of the screen."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Finding(NamedTuple):
    """One thing that was looked at."""

    well: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.well else 'FIX '} {self.sentence}"


def examine() -> list[Finding]:
    """Everything there is to find, in the order in which to mend it."""
    # Long enough for any backend worth having, short enough for a person who waits.
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    heard = _Heard()
    loggers = [logging.getLogger(name) for name in ("opentelemetry", "farthing")]
    for logger in loggers:
        logger.addHandler(heard)
        logger.propagate = False
    findings = [*_configure()]
    if not findings:
        findings += [*_providers(), *_exporters(heard), *_sampling(), *_clients()]
        findings += [*_frameworks(), *_tracers()]
    return [*findings, *_prices(), *_rules(), *_baselines(), *_settings()]


def _configure() -> list[Finding]:
    """Set this process up as ``opentelemetry-instrument`` does."""
    # Imported here: it is what opentelemetry-instrument runs, not what an application needs.
    from opentelemetry.instrumentation import (
        auto_instrumentation,  # pyright: ignore[reportMissingTypeStubs]
    )

    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return [
            Finding(False, "OTEL_SDK_DISABLED turns all telemetry off. Unset it to record calls.")
        ]
    for library in LIBRARIES:
        if importlib.util.find_spec(library.package):
            import_module(library.package)
    try:
        auto_instrumentation.initialize(swallow_exceptions=False)
    except Exception as error:
        return [Finding(False, f"OpenTelemetry could not be set up: {error}. Mend that first.")]
    return []


def _providers() -> Iterator[Finding]:
    for signal, provider in (
        ("traces", trace.get_tracer_provider()),
        ("metrics", metrics.get_meter_provider()),
    ):
        kind = type(provider).__module__
        if kind.startswith("opentelemetry.sdk"):
            yield Finding(True, f"A provider for {signal} is set up.")
        else:
            yield Finding(
                False,
                f"No provider for {signal} is set up, so they go nowhere. Give the configuration "
                f"file a section for {signal}, or unset OTEL_PYTHON_CONFIGURATOR.",
            )


def _exporters(heard: _Heard) -> Iterator[Finding]:
    """The exporters that the providers hold, each asked to send nothing to where it sends."""
    exporters = list(_exporters_in_use())
    for signal in ("traces", "metrics"):
        if signal not in dict(exporters):
            yield Finding(
                False,
                f"No exporter for {signal} is set up, so they never leave the process. Unset "
                f"OTEL_{signal.upper()}_EXPORTER, or set it to otlp.",
            )
    for signal, exporter in exporters:
        endpoint = getattr(exporter, "_endpoint", None)
        name = type(exporter).__module__.split(".")
        protocol = "grpc" if "grpc" in name else "http/protobuf" if "http" in name else None
        if endpoint is None or protocol is None:
            yield Finding(True, f"{signal.capitalize()} go to {type(exporter).__name__}.")
            continue
        where = f"{signal.capitalize()} go to {endpoint} ({protocol})"
        problem = _send_nothing(signal, exporter, endpoint, heard)
        if problem is None:
            yield Finding(True, f"{where}, which answers.")
        else:
            yield Finding(
                False,
                f"{where}, but {problem}. Start the backend, or correct "
                "OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL (4317 is usually "
                "grpc, 4318 http/protobuf).",
            )


def _exporters_in_use() -> Iterator[tuple[str, Any]]:
    processor = getattr(trace.get_tracer_provider(), "_active_span_processor", None)
    for one in getattr(processor, "_span_processors", ()):
        batch = getattr(one, "_batch_processor", one)
        exporter = getattr(batch, "_exporter", getattr(one, "span_exporter", None))
        if exporter is not None:
            yield "traces", exporter
    for reader in getattr(metrics.get_meter_provider(), "_metric_readers", ()) or getattr(
        getattr(metrics.get_meter_provider(), "_sdk_config", None), "metric_readers", ()
    ):
        exporter = getattr(reader, "_exporter", None)
        if exporter is not None:
            yield "metrics", exporter


def _send_nothing(signal: str, exporter: Any, endpoint: str, heard: _Heard) -> str | None:
    """Why an empty export does not arrive; None where it does."""
    heard.said.clear()
    try:
        result = exporter.export([] if signal == "traces" else MetricsData([]))
    except Exception as error:
        return f"sending fails: {error}"
    if result.name == "SUCCESS":
        return None
    reason = " ".join(heard.said) or "no reason given"
    for sign, sentence in _CAUSES:
        if sign in reason:
            return sentence
    return _unreachable(endpoint) or f"sending fails: {reason[:200].rstrip('.')}"


def _unreachable(endpoint: str) -> str | None:
    """Why nobody can connect there. An exporter that runs out of time does not always say it."""
    target = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    try:
        port = target.port or (443 if target.scheme == "https" else 80)
        socket.create_connection((target.hostname or "", port), timeout=1).close()
    except ConnectionRefusedError:
        return "nothing listens there"
    except socket.gaierror:
        return "its host has no address"
    except (OSError, ValueError):
        return None
    return None


_CAUSES = (
    ("refused", "nothing listens there"),
    ("NameResolution", "its host has no address"),
    ("DNS resolution failed", "its host has no address"),
    ("BadStatusLine", "what listens there does not speak HTTP: it is usually grpc"),
    ("failed to connect to all addresses", "what listens there does not speak grpc"),
    ("Unauthorized", "it refuses us (401): give the key in OTEL_EXPORTER_OTLP_HEADERS"),
    ("UNAUTHENTICATED", "it refuses us: give the key in OTEL_EXPORTER_OTLP_HEADERS"),
    ("Not Found", "it knows no such path (404)"),
)
"""What an exporter's log says of a failure → the same as a person would."""


def _sampling() -> Iterator[Finding]:
    """A sampler that drops every span: metrics still come, traces never do."""
    name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    ratio = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if name.endswith("always_off") or (name.endswith("traceidratio") and ratio in ("0", "0.0")):
        yield Finding(
            False,
            f"OTEL_TRACES_SAMPLER={name} drops every span; metrics are still recorded. Unset it to "
            "see calls as traces.",
        )


def _clients() -> Iterator[Finding]:
    wrapped = patching.applied()
    any_installed = False
    for library in LIBRARIES:
        if library.package not in sys.modules:
            continue
        any_installed = True
        version = metadata.version(library.package)
        request = next(patch for patch in patches(library) if patch.name.endswith(".request"))
        if (request.module, request.name) in wrapped:
            yield Finding(True, f"{library.package} {version} is instrumented.")
        else:
            yield Finding(
                False,
                f"{library.package} {version} is installed and not instrumented. Take farthing "
                "out of OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, or upgrade farthing or "
                f"{library.package}.",
            )
    if not any_installed:
        packages = " or ".join(library.package for library in LIBRARIES)
        yield Finding(False, f"No client library is installed here: pip install {packages}.")


def _frameworks() -> Iterator[Finding]:
    """What of a framework tells whose step a call is, and is not where it was."""
    for package in FRAMEWORKS:
        if importlib.util.find_spec(package):
            for module in dict.fromkeys(patch.module for patch in FRAMEWORKS[package]):
                with contextlib.suppress(ImportError):
                    import_module(module)
    for name in missing():
        package = name.partition(".")[0]
        yield Finding(
            False,
            f"{package} {metadata.version(package.replace('_', '-'))} has no {name}, so some of its"
            " steps, agents or tools do not show. Upgrade farthing.",
        )


def _tracers() -> Iterator[Finding]:
    """Whether the spans of other tracers are seen, and priced."""
    from farthing_processor.dialects import DIALECTS
    from farthing_processor.span_processor import trial_cost

    current = telemetry.current()
    if current is not None and not current.settings.price_spans:
        yield Finding(True, "FARTHING_PRICE_SPANS=0 leaves the spans of other tracers unpriced.")
        return
    if not prices_spans_of(trace.get_tracer_provider()):
        yield Finding(
            False,
            "The spans of other tracers are not seen. Call farthing.instrument() after the tracer "
            "provider is set, or add farthing.CostSpanProcessor() to it.",
        )
    elif trial_cost() is None:
        yield Finding(
            False,
            f"opentelemetry-sdk {metadata.version('opentelemetry-sdk')} lets nothing be added to a "
            "span that ends, so the spans of other tracers have no cost. Put CostSpanExporter(...) "
            "around your exporter.",
        )
    else:
        yield Finding(True, "The spans of other tracers are seen, and priced as they end.")
    by_package = {package: one.name for one in DIALECTS for package in one.packages}
    for found in metadata.distributions():
        package = (found.name or "").lower().replace("_", "-")
        for pattern, name in by_package.items():
            if package == pattern or (pattern[-1] == "*" and package.startswith(pattern[:-1])):
                yield Finding(
                    True,
                    f"{package} {found.version} is installed: the spans of its calls are read, as "
                    f"{names.COST_DIALECT} {name!r}.",
                )
                break


def _prices() -> Iterator[Finding]:
    place = tables.place()
    try:
        if place:
            tables.kept(place)
    except tables.Unusable as fault:
        yield Finding(
            False,
            f"The price table {place} cannot be used ({fault}). Delete it, or run farthing prices"
            " update.",
        )
    days = int(prices_age_s() // 86400)
    source = tables.in_use_from() or "shipped with farthing"
    table = f"The price table {prices_version()} ({source}) is {days} days old"
    if days <= STALE_DAYS:
        yield Finding(True, f"{table}.")
    else:
        yield Finding(
            False,
            f"{table}, so new models have no price: upgrade farthing, or run farthing prices"
            " update.",
        )


def _rules() -> Iterator[Finding]:
    """The user's own prices, where there are any."""
    current = telemetry.current()
    path = (current.settings if current else settings.load()[0]).prices
    if path is not None:
        loaded = rules_file.load(path)
        count = len(loaded.rules)
        yield Finding(bool(count), f"{path} has {count} {'rule' if count == 1 else 'rules'}.")
        yield from (Finding(False, problem) for problem in loaded.problems)


def _baselines() -> Iterator[Finding]:
    """What steps usually cost, where a file says it."""
    current = telemetry.current()
    chosen = current.settings if current else settings.load()[0]
    path = chosen.baseline
    if path is None or (path == chosen.baseline_save and not os.path.exists(path)):
        return
    try:
        steps = len(snapshots.load(path))
    except ValueError as fault:
        yield Finding(False, str(fault))
    else:
        yield Finding(True, f"{path} says what {steps} steps usually cost.")


def _settings() -> Iterator[Finding]:
    _, problems = settings.load(environ=os.environ)
    for problem in problems:
        yield Finding(False, problem)
