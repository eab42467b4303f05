"""Every public method, every way to use it and to leave it, sync and async: one suite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import farthing
from tests.contract import known
from tests.contract.endings import Ending, endings_of
from tests.contract.judging import NotRecorded, judge, left_behind
from tests.contract.libraries import LIBRARIES
from tests.contract.running import run
from tests.contract.server import Server
from tests.contract.table import MAKERS, Library, Method
from tests.instrumentation.conftest import Telemetry

GATEWAY = "127.0.0.1"


def _cases() -> Iterator[Any]:
    for library in LIBRARIES:
        for method in library.methods:
            for ending in endings_of(method):
                for kind in MAKERS:
                    if kind in ending.kinds:
                        marks = _marks(library, method, ending, kind)
                        name = f"{library.name}.{method.id}-{ending.name}-{kind}"
                        yield pytest.param(library, method, ending, kind, marks=marks, id=name)


def _marks(library: Library, method: Method, ending: Ending, kind: str) -> list[Any]:
    marks: list[Any] = []
    if not (ending.core or method.sample):
        marks.append(pytest.mark.slow)
    if method.missing:
        marks.append(pytest.mark.xfail(strict=True, raises=NotRecorded, reason=method.missing))
    elif reason := known.why(library.name, method.id, ending.name, kind):
        marks.append(pytest.mark.xfail(strict=True, reason=reason))
    return marks


@pytest.mark.parametrize(("library", "method", "ending", "kind"), list(_cases()))
def test_contract(
    library: Library, method: Method, ending: Ending, kind: str, server: Server
) -> None:
    """The application sees what it sees without us, and the call is on record, once and whole."""
    farthing.uninstrument()
    bare = run(library, method, ending, kind, server, Telemetry().tracer_provider)
    sent = server.requests

    telemetry = Telemetry()
    telemetry.instrument(gateways=GATEWAY)
    try:
        case = run(library, method, ending, kind, server, telemetry.tracer_provider)
        assert case.seen == bare.seen
        assert server.requests == sent
        judge(case, telemetry)
        assert not left_behind()
    finally:
        farthing.uninstrument()
