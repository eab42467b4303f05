"""Events: what was asked and answered as log records, in the structures of the conventions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import _logs as logs
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk._logs import export
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

EVENT = "gen_ai.client.inference.operation.details"
ASK: Any = [{"role": "user", "content": "What is this?"}]
ASKED = [{"role": "user", "parts": [{"type": "text", "content": "What is this?"}]}]
HELLO = [{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]
CLAUDE: Any = {"model": "claude-sonnet-4-6", "max_tokens": 9, "system": "Be brief."}


class Logs:
    """The application's logger provider, with what it was given."""

    def __init__(self) -> None:
        # The name that is in every supported version of the SDK.
        in_memory = getattr(export, "InMemoryLogRecordExporter", None) or export.InMemoryLogExporter
        self.exporter = in_memory()
        self.provider = sdk_logs.LoggerProvider()
        processor = export.SimpleLogRecordProcessor(self.exporter)
        self.provider.add_log_record_processor(processor)

    def all(self) -> list[Any]:
        """Every record as it is on the wire, with what exports it: what cannot be encoded fails."""
        finished = self.exporter.get_finished_logs()
        encode_logs(finished)
        return [data.log_record for data in finished]

    def one(self) -> Any:
        (record,) = self.all()
        return record


def plain(value: Any) -> Any:
    """Structures as JSON has them."""
    return json.loads(json.dumps(value, default=dict))


@pytest.fixture
def written() -> Logs:
    return Logs()


@pytest.fixture
def spans() -> Iterator[Telemetry]:
    yield Telemetry()
    farthing.uninstrument()


def test_chat(spans: Telemetry, written: Logs, provider: Provider) -> None:
    spans.instrument(logger_provider=written.provider, content="EVENT_ONLY")
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=ASK, temperature=0.5
    )
    event, span = written.one(), spans.span()
    assert event.event_name == EVENT
    assert event.severity_number == logs.SeverityNumber.DEBUG
    assert event.body is None
    assert (event.trace_id, event.span_id) == (span.context.trace_id, span.context.span_id)
    assert event.timestamp == span.end_time
    attributes = dict(event.attributes)
    assert plain(attributes.pop("gen_ai.input.messages")) == ASKED
    assert plain(attributes.pop("gen_ai.output.messages")) == HELLO
    assert attributes == dict(span.attributes or {})


def test_messages_streamed(spans: Telemetry, written: Logs, provider: Provider) -> None:
    spans.instrument(logger_provider=written.provider, content="SPAN_AND_EVENT")
    client = provider.answers(shapes.sse(shapes.message_events())).anthropic()
    with client.messages.stream(**CLAUDE, messages=ASK) as stream:
        assert stream.get_final_text() == "Hello"
    event, on_span = written.one(), spans.attributes()
    for name in ("system_instructions", "input.messages", "output.messages"):
        structure = event.attributes[f"gen_ai.{name}"]
        assert not isinstance(structure, str)
        assert plain(structure) == json.loads(on_span[f"gen_ai.{name}"])


@pytest.mark.parametrize("mode", ["EVENT_ONLY", "SPAN_AND_EVENT"])
def test_async(spans: Telemetry, written: Logs, provider: Provider, mode: str) -> None:
    spans.instrument(logger_provider=written.provider, content=mode)
    client = provider.answers(shapes.sse(shapes.chat_chunks(), done=True)).async_openai()

    async def ask() -> None:
        stream = await client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        async for _chunk in stream:
            pass

    asyncio.run(ask())
    assert plain(written.one().attributes["gen_ai.output.messages"]) == HELLO
    assert ("gen_ai.output.messages" in spans.attributes()) == (mode == "SPAN_AND_EVENT")


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_ONLY"])
def test_no_event_in_other_modes(
    spans: Telemetry, written: Logs, provider: Provider, mode: str
) -> None:
    spans.instrument(logger_provider=written.provider, content=mode)
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=ASK
    )
    assert written.all() == []


def test_a_failed_call_says_what_was_asked(
    spans: Telemetry, written: Logs, provider: Provider
) -> None:
    spans.instrument(logger_provider=written.provider, content="EVENT_ONLY")
    client = provider.answers(httpx2.Response(429, json={"error": {}})).openai()
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="gpt-4o", messages=ASK)
    attributes = written.one().attributes
    assert attributes["error.type"] == "RateLimitError"
    assert plain(attributes["gen_ai.input.messages"]) == ASKED
    assert "gen_ai.output.messages" not in attributes


def test_a_broken_stream_says_what_came_of_it(
    spans: Telemetry, written: Logs, provider: Provider
) -> None:
    spans.instrument(logger_provider=written.provider, content="EVENT_ONLY")
    reply = shapes.sse(shapes.chat_chunks()[:2], error=ConnectionError("lost"))
    client = provider.answers(reply).openai()
    stream = client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
    with pytest.raises(ConnectionError):
        list(stream)
    attributes = written.one().attributes
    assert attributes["error.type"] == "ConnectionError"
    assert plain(attributes["gen_ai.output.messages"])[0]["parts"] == [
        {"type": "text", "content": "Hel"}
    ]


def test_only_inference_has_this_event(spans: Telemetry, written: Logs, provider: Provider) -> None:
    spans.instrument(logger_provider=written.provider, content="EVENT_ONLY")
    client = provider.answers(shapes.ok(shapes.embeddings())).openai()
    client.embeddings.create(model="text-embedding-3-large", input="What is this?")
    provider.answers(shapes.ok(shapes.response())).openai().responses.retrieve("resp_1")
    assert len(spans.spans()) == 2
    assert written.all() == []


def test_an_unsampled_call_has_its_event(written: Logs, provider: Provider) -> None:
    unsampled = Telemetry(ALWAYS_OFF)
    unsampled.instrument(logger_provider=written.provider, content="SPAN_AND_EVENT")
    try:
        provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
            model="gpt-4o", messages=ASK
        )
    finally:
        farthing.uninstrument()
    event = written.one()
    assert unsampled.spans() == []
    assert not event.trace_flags.sampled
    assert event.trace_id
    assert event.attributes["gen_ai.usage.input_tokens"] == 2006
    assert plain(event.attributes["gen_ai.output.messages"]) == HELLO


def test_the_global_logger_provider(
    spans: Telemetry, written: Logs, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs._internal, "_LOGGER_PROVIDER", written.provider)
    spans.instrument(content="EVENT_ONLY")
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=ASK
    )
    assert written.one().event_name == EVENT


def test_what_no_exporter_could_encode(
    spans: Telemetry, written: Logs, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    spans.instrument(logger_provider=written.provider, content="SPAN_AND_EVENT")
    deep: Any = "end"
    for _ in range(60):
        deep = {"deeper": deep}
    strange = {"half": "\ud800", "big": 2**70, "": 1, "mixed": [1, "x", None], "deep": deep}
    call = {"type": "tool_use", "id": "t_1", "name": "look", "input": strange}
    body = json.dumps(shapes.message(content=[call]))  # all of it escaped
    reply = httpx2.Response(200, text=body, headers={"content-type": "application/json"})
    provider.answers(reply).anthropic().messages.create(**CLAUDE, messages=ASK)
    on_span = json.loads(spans.attributes()["gen_ai.output.messages"])
    found = on_span[0]["parts"][0]["arguments"]
    assert found["half"] == "?"
    assert found["big"] == str(2**70)
    assert found["mixed"] == [1, "x", None]
    assert '{"deeper":"end"}' in json.dumps(found["deep"]).replace("\\", "")
    written.one()
    assert not caplog.records
