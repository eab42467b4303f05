"""Turning farthing on and off, and what it leaves alone."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]

METHODS = [
    (client, name)
    for client in (
        openai.OpenAI,
        openai.AsyncOpenAI,
        anthropic.Anthropic,
        anthropic.AsyncAnthropic,
        openai.Stream,
        openai.AsyncStream,
    )
    for name in ("request", "_sleep_for_retry", "close")
    if hasattr(client, name)
]


def ask(provider: Provider, **options: Any) -> Any:
    return provider.openai(**options).chat.completions.create(model="gpt-4o", messages=MESSAGES)


def kinds() -> list[tuple[object, ...]]:
    return [
        (
            inspect.iscoroutinefunction(method),
            inspect.isfunction(method),
            inspect.signature(method),
            method.__name__,
            method.__doc__,
        )
        for method in (getattr(owner, name) for owner, name in METHODS)
    ]


def test_call_kinds_and_signatures_are_kept(telemetry: Telemetry) -> None:
    instrumented = kinds()
    farthing.uninstrument()
    assert instrumented == kinds()


def test_instrument_and_uninstrument_are_idempotent(
    telemetry: Telemetry, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    telemetry.instrument()
    telemetry.instrument()
    ask(provider)
    assert len(telemetry.spans()) == 1
    assert telemetry.points()["gen_ai.client.operation.cost"][0].count == 1
    farthing.uninstrument()
    farthing.uninstrument()
    ask(provider)
    assert len(telemetry.spans()) == 1
    telemetry.instrument()
    ask(provider)
    assert len(telemetry.spans()) == 2
    assert telemetry.points()["gen_ai.client.operation.cost"][0].count == 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_uninstrument_puts_everything_back() -> None:
    before = {(owner, name): vars(owner).get(name) for owner, name in METHODS}
    farthing.instrument()
    farthing.uninstrument()
    assert {(owner, name): vars(owner).get(name) for owner, name in METHODS} == before


def test_someone_elses_wrapper_on_top_survives_uninstrument(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    ours = openai._base_client.SyncAPIClient.request
    seen: list[str] = []

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append("theirs")
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(openai._base_client.SyncAPIClient, "request", theirs)
    farthing.uninstrument()
    ask(provider)
    assert seen == ["theirs"]
    assert telemetry.spans() == []


def test_suppressed_instrumentation_is_honoured(telemetry: Telemetry, provider: Provider) -> None:
    provider.answers(shapes.ok(shapes.chat()))
    with suppress_instrumentation():
        ask(provider)
    assert telemetry.spans() == []
    assert telemetry.points() == {}


def test_metrics_do_not_depend_on_sampling(provider: Provider) -> None:
    telemetry = Telemetry(sampler=ALWAYS_OFF)
    telemetry.instrument()
    try:
        ask(provider.answers(shapes.ok(shapes.chat())))
    finally:
        farthing.uninstrument()
    assert telemetry.spans() == []
    sums = telemetry.sums()
    assert sums["gen_ai.client.operation.cost"] == shapes.CHAT_COST
    assert sums["gen_ai.client.token.usage"] == 2306


def test_under_an_unsampled_parent_the_step_is_unknown(provider: Provider) -> None:
    """In metrics too: a step must not change its name with sampling."""
    telemetry = Telemetry(sampler=ParentBased(ALWAYS_OFF))
    telemetry.instrument()
    try:
        with telemetry.tracer.start_as_current_span("plan"):
            ask(provider.answers(shapes.ok(shapes.chat())))
    finally:
        farthing.uninstrument()
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    assert cost.attributes["farthing.step.name"] == "unknown"


def test_exemplars_point_to_the_call(telemetry: Telemetry, provider: Provider) -> None:
    ask(provider.answers(shapes.ok(shapes.chat())))
    (cost,) = telemetry.points()["gen_ai.client.operation.cost"]
    context = telemetry.span().context
    assert context is not None
    assert [exemplar.span_id for exemplar in cost.exemplars] == [context.span_id]


@pytest.mark.parametrize("failing", ["Call.__init__", "Call._report", "assess", "Recorder.record"])
def test_a_bug_of_ours_is_not_the_callers(
    telemetry: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError("a bug of ours")

    owner = "farthing_processor.recording" if "Recorder" in failing else "farthing.call"
    monkeypatch.setattr(f"{owner}.{failing}", broken)
    provider.answers(shapes.ok(shapes.chat()))
    assert ask(provider).choices[0].message.content == "Hello"
    stream = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).openai()
    chunks = list(stream.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
    assert len(chunks) == 5
    # Whatever else is lost, a span that began has ended.
    assert len(telemetry.spans()) == (0 if failing == "Call.__init__" else 2)


def test_the_callers_arguments_are_untouched(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    provider.answers(shapes.ok(shapes.chat()))

    def messages() -> Any:
        yield {"role": "user", "content": "one"}
        yield {"role": "user", "content": "two"}

    provider.openai().chat.completions.create(model="gpt-4o", messages=messages())
    assert [m["content"] for m in provider.body()["messages"]] == ["one", "two"]
    given = [{"role": "user", "content": "hi"}]
    provider.openai().chat.completions.create(model="gpt-4o", messages=given)  # type: ignore[arg-type]
    assert given == [{"role": "user", "content": "hi"}]


def test_a_bad_setting_is_said_once_and_left_out(
    telemetry: Telemetry, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        telemetry.instrument(semconv="newest", colour="blue")
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "use one of released, latest, both" in " ".join(messages)
    assert "no setting 'colour'" in " ".join(messages)
    ask(provider.answers(shapes.ok(shapes.chat())))
    assert "gen_ai.client.token.usage" in telemetry.points()


def test_saying_nothing_keeps_what_was_said(telemetry: Telemetry, provider: Provider) -> None:
    """As when a configuration file chose the settings, and the application has no opinion."""
    telemetry.instrument(semconv="latest")
    farthing.instrument()
    ask(provider.answers(shapes.ok(shapes.chat())))
    assert "gen_ai.client.inference.duration" in telemetry.points()


def test_nonsense_leaves_what_works(
    telemetry: Telemetry, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    farthing.instrument("a tracer provider", 7)  # type: ignore[arg-type]
    ask(provider.answers(shapes.ok(shapes.chat())))
    assert len(telemetry.spans()) == 1
    assert "recorded as before" in caplog.text


def test_an_unknown_client_version_warns_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    farthing.uninstrument()
    monkeypatch.delattr(openai._base_client.SyncAPIClient, "request")
    monkeypatch.setattr("farthing.patching._warned", set())
    for _ in range(2):
        farthing.instrument()
    farthing.uninstrument()
    messages = [record.getMessage() for record in caplog.records]
    assert len([message for message in messages if "openai" in message]) == 1
    assert "Upgrade" in messages[0]


def test_clients_are_never_imported_for_the_application() -> None:
    script = (
        "import sys, farthing; farthing.instrument();"
        "assert not {'openai', 'anthropic', 'httpx2', 'pydantic'} & set(sys.modules);"
        "import openai; from farthing import patching;"
        "assert ('openai._base_client', 'SyncAPIClient.request') in patching.applied()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_provider_that_comes_after_instrument_is_used() -> None:
    script = """
import farthing, sys
sys.path.insert(0, ".")
farthing.instrument()
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry
from opentelemetry import trace, metrics
client = Provider().answers(shapes.ok(shapes.chat())).openai()
call = lambda: client.chat.completions.create(model="gpt-4o", messages=[])
call()
telemetry = Telemetry()
trace.set_tracer_provider(telemetry.tracer_provider)
metrics.set_meter_provider(telemetry.meter_provider)
call()
assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
assert telemetry.sums()["gen_ai.client.operation.cost"] == shapes.CHAT_COST
"""
    subprocess.run([sys.executable, "-c", script], check=True)
