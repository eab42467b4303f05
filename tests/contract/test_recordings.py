"""Every recorded call of OpenAI and Anthropic, replayed through the real clients.

What is expected is read off the recorded JSON, without the product's readers.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import genai_prices
import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

import farthing
from tests import needs
from tests.contract.recordings import (
    Interaction,
    Recordings,
    answered,
    interactions,
    load,
    usage_in,
    usage_of,
)
from tests.instrumentation.conftest import Telemetry

# The models of some recordings have been retired since, and their client says so.
pytestmark = pytest.mark.filterwarnings("ignore:The model :DeprecationWarning")

WAYS = [
    pytest.param("plain", False, id="plain-sync"),
    pytest.param("plain", True, id="plain-async"),
    pytest.param("raw", False, id="raw-sync"),
    pytest.param("raw", True, id="raw-async", marks=pytest.mark.slow),
    pytest.param("streaming", False, id="streaming-sync", marks=pytest.mark.slow),
    pytest.param("streaming", True, id="streaming-async"),
    pytest.param("bytes", False, id="bytes-sync"),
    pytest.param("bytes", True, id="bytes-async", marks=pytest.mark.slow),
    pytest.param("helper", False, id="helper-sync"),
    pytest.param("helper", True, id="helper-async", marks=pytest.mark.slow),
]


@pytest.fixture(scope="session")
def recordings() -> Recordings:
    return load(needs.recordings())


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    yield (made := Telemetry())
    farthing.uninstrument()
    made.tracer_provider.shutdown()
    made.meter_provider.shutdown()


def ask(call: Interaction, how: str, asynchronous: bool) -> tuple[list[str], list[httpx2.Request]]:
    return answered(
        call.api,
        call.request,
        call.response,
        how=how,
        asynchronous=asynchronous,
        base_url=call.base_url,
    )


ERRORS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError"}
"""What the clients raise when a provider refuses."""

COMPARED = (
    *("gen_ai.request.model", "gen_ai.response.id", "gen_ai.response.model", "error.type"),
    *("gen_ai.response.finish_reasons", "gen_ai.usage.cost.amount", "farthing.cost.status"),
)
"""Span attributes that the recordings decide, with those of usage."""


def expected(call: Interaction) -> dict[str, Any]:
    """What a span must say of ``call``, by the recorded JSON and by the price of its model."""
    said: dict[str, Any] = {"gen_ai.request.model": call.request["model"]}
    if call.status >= 400:
        return said | {"error.type": ERRORS[call.status]}
    bodies = call.bodies()
    reasons: dict[int, str] = {}
    for body in bodies:
        about = body.get("response") or body.get("message") or body
        for name in ("id", "model"):
            if about.get(name):
                said.setdefault(f"gen_ai.response.{name}", about[name])
        for choice in body.get("choices") or ():
            if choice.get("finish_reason"):
                reasons[choice["index"]] = choice["finish_reason"]
        delta = body.get("delta")
        for owner in (body, delta if isinstance(delta, dict) else {}):
            if owner.get("stop_reason"):
                reasons[0] = owner["stop_reason"]
    if reasons:
        said["gen_ai.response.finish_reasons"] = tuple(reasons[index] for index in sorted(reasons))
    usage = usage_in(call.api, bodies)
    if not usage:
        return said | {"farthing.cost.status": "usage_missing"}
    said["farthing.cost.status"] = "priced"
    said["gen_ai.usage.cost.amount"] = _cost(call, said["gen_ai.response.model"], usage)
    return said | {f"gen_ai.usage.{name}": count for name, count in usage.items()}


def _cost(call: Interaction, model: str, usage: dict[str, int]) -> float:
    """USD, as `genai_prices` works it out: all the recordings are of standard service."""
    counts = genai_prices.Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage.get("output_tokens"),
        cache_read_tokens=usage.get("cache_read.input_tokens"),
        cache_write_tokens=usage.get("cache_write.input_tokens"),
    )
    provider = "anthropic" if call.api.endswith("messages") else "openai"
    return float(genai_prices.calc_price(counts, model, provider_id=provider).total_price)


def compared(call: Interaction, span: ReadableSpan) -> dict[str, Any]:
    """What ``span`` says of the same."""
    said = span.attributes or {}
    found = {name: said[name] for name in COMPARED if name in said}
    if call.api == "responses":
        # That API gives a status where others give a reason.
        found.pop("gen_ai.response.finish_reasons", None)
    return found | {f"gen_ai.usage.{name}": count for name, count in usage_of(span).items()}


@pytest.fixture(scope="session")
def facts(recordings: Recordings) -> list[tuple[Interaction, dict[str, Any]]]:
    return [(call, expected(call)) for call in recordings.calls]


@pytest.mark.parametrize(("how", "asynchronous"), WAYS)
def test_replayed(
    facts: list[tuple[Interaction, dict[str, Any]]],
    telemetry: Telemetry,
    how: str,
    asynchronous: bool,
) -> None:
    chosen = [(call, said) for call, said in facts if how != "helper" or call.stream]
    bare = [ask(call, how, asynchronous) for call, _ in chosen]
    telemetry.instrument()
    wrong: list[str] = []
    for (call, said), (seen_bare, sent_bare) in zip(chosen, bare, strict=True):
        telemetry.exporter.clear()
        seen, sent = ask(call, how, asynchronous)
        spans = telemetry.spans()
        if seen != seen_bare:
            wrong.append(f"{call.source}: seen {seen}\n  with the bare client {seen_bare}")
        if [request.content for request in sent] != [request.content for request in sent_bare]:
            wrong.append(f"{call.source}: the provider is asked something else")
        if len(spans) != 1:
            wrong.append(f"{call.source}: {len(spans)} spans")
        for span in spans:
            if (found := compared(call, span)) != said:
                wrong.append(f"{call.source}: {found}\n  recorded {said}")
            if ("error.type" in said) != (span.status.status_code is StatusCode.ERROR):
                wrong.append(f"{call.source}: {span.status.status_code}")
    assert not wrong, "\n".join(wrong)
    # The metrics say the same as the spans.
    points = telemetry.points()
    assert sum(point.count for point in points["gen_ai.client.operation.duration"]) == len(chosen)
    for kind in ("input", "output"):
        assert sum(
            point.sum
            for point in points["gen_ai.client.token.usage"]
            if point.attributes["gen_ai.token.type"] == kind
        ) == sum(said.get(f"gen_ai.usage.{kind}_tokens", 0) for _, said in chosen)
    cost = math.fsum(said.get("gen_ai.usage.cost.amount", 0.0) for _, said in chosen)
    assert telemetry.sums()["gen_ai.client.operation.cost"] == pytest.approx(cost)


def test_sent_as_recorded(recordings: Recordings) -> None:
    """The replay asks what the recording asked, but for what newer clients add."""
    for call in recordings.calls:
        _, requests = ask(call, "raw" if call.raw else "plain", False)
        assert len(requests) == 1, call.source
        sent = json.loads(requests[0].content)
        assert {name: sent.get(name) for name in call.request} == call.request, call.source
        added = set(sent) - set(call.request)
        assert added <= {"encoding_format"}, call.source


def test_nothing_left_out(recordings: Recordings, capsys: pytest.CaptureFixture[str]) -> None:
    """Each interaction in the folder is replayed or says why not."""
    everything = [source for source, _ in interactions(needs.recordings())]
    replayed = [call.source for call in recordings.calls]
    left_out = [source for source, _ in recordings.others]
    assert replayed
    assert sorted(replayed + left_out) == sorted(everything)
    streams = sum(call.stream for call in recordings.calls)
    failed = sum(call.status >= 400 for call in recordings.calls)
    apis = ", ".join(f"{n} {api}" for api, n in Counter(c.api for c in recordings.calls).items())
    reasons = Counter(reason for _, reason in recordings.others)
    with capsys.disabled():
        print(
            f"\nreplayed {len(replayed)} of {len(everything)} recorded interactions: {apis}; "
            f"{streams} streamed, {failed} refused by the provider"
        )
        for reason, count in reasons.items():
            print(f"left out {count}: {reason}")
