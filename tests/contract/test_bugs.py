"""Bugs of our own, and of what the application plugs into the SDK: the caller sees none of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor

import farthing
from farthing.endpoint import Endpoint
from farthing.providers import LIBRARIES as INSTRUMENTED
from tests.contract.endings import Ending, endings_of
from tests.contract.libraries import LIBRARIES
from tests.contract.running import run
from tests.contract.server import Server
from tests.contract.table import MAKERS, Library, Method
from tests.contract.test_contract import GATEWAY
from tests.instrumentation.conftest import Telemetry

ENDINGS = {
    "use": (),
    "exhaust": (),
    "drop unread": (),
    "break within": pytest.mark.slow,
    "cut in the middle": pytest.mark.slow,
    "raw parse": pytest.mark.slow,
}
"""The endings to try with each bug, and when."""


def broken(*_args: Any, **_kwargs: Any) -> Any:
    raise RuntimeError("a bug of ours")


class Open(SpanProcessor):
    """Counts the spans that are open."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, *_args: Any, **_kwargs: Any) -> None:
        self.count += 1

    def on_end(self, *_args: Any) -> None:
        self.count -= 1


class Broken(SpanProcessor):
    def __init__(self, name: str) -> None:
        setattr(self, name, broken)


def _function(name: str) -> Callable[[pytest.MonkeyPatch, Telemetry], None]:
    return lambda monkeypatch, _telemetry: monkeypatch.setattr(name, broken)


def _processor(name: str) -> Callable[[pytest.MonkeyPatch, Telemetry], None]:
    return lambda _monkeypatch, telemetry: telemetry.tracer_provider.add_span_processor(
        Broken(name)
    )


def _reader(name: str) -> Callable[[pytest.MonkeyPatch, Telemetry], None]:
    def bug(monkeypatch: pytest.MonkeyPatch, _telemetry: Telemetry) -> None:
        for library in INSTRUMENTED:
            for path, endpoint in tuple(library.endpoints.items()):
                changed = dataclasses.replace(endpoint, **{name: broken})
                monkeypatch.setitem(library.endpoints, path, changed)

    return bug


READERS = [field.name for field in dataclasses.fields(Endpoint) if "Callable" in str(field.type)]
BUGS = {
    "assess": _function("farthing.call.assess"),
    "begin": _function("farthing.call.Call.__init__"),
    "first chunk": _function("farthing.call.Call.first_chunk"),
    "watch": _function("farthing.streams.watch"),
    "record": _function("farthing_processor.recording.Recorder.record"),
    "metrics": _function("farthing_processor.recording.Recorder.add"),
    "on_start": _processor("on_start"),
    "on_end": _processor("on_end"),
    **{f"reader of {name}": _reader(name) for name in READERS},
}


def _cases() -> Iterator[Any]:
    for library in LIBRARIES:
        for method in library.methods:
            for ending in endings_of(method):
                if method.sample and ending.name in ENDINGS:
                    name = f"{library.name}.{method.id}-{ending.name}"
                    marks = ENDINGS[ending.name]
                    yield pytest.param(library, method, ending, marks=marks, id=name)


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(("library", "method", "ending"), list(_cases()))
def test_a_bug_is_not_the_callers(
    library: Library,
    method: Method,
    ending: Ending,
    kind: str,
    bug: str,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    farthing.uninstrument()
    without = Telemetry()
    if bug in ("on_start", "on_end"):  # which break the client's own tracer too
        BUGS[bug](monkeypatch, without)
    bare = run(library, method, ending, kind, server, without.tracer_provider)
    sent = server.requests

    telemetry, spans = Telemetry(), Open()
    telemetry.tracer_provider.add_span_processor(spans)
    telemetry.instrument(gateways=GATEWAY, content="SPAN_ONLY")
    BUGS[bug](monkeypatch, telemetry)
    try:
        case = run(library, method, ending, kind, server, telemetry.tracer_provider)
        telemetry.points()
        assert case.seen == bare.seen
        assert server.requests == sent
        # Of a span that could not start in full, the SDK gives nobody anything to end.
        assert spans.count == 0 or bug == "on_start", "a span that began has not ended"
    finally:
        farthing.uninstrument()


def test_every_reader_is_among_the_bugs() -> None:
    assert {"request", "answer", "usage", "fold"} <= set(READERS)
