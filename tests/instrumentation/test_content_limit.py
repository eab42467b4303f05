"""The length limit: content stays JSON of its shape, and says what is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry


def ask(provider: Provider, messages: Any, **more: Any) -> None:
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=messages, **more
    )


def recorded(telemetry: Telemetry, limit: int) -> Any:
    written = telemetry.attributes()["gen_ai.input.messages"]
    assert len(written) <= limit
    return json.loads(written)


def texts(messages: Any) -> list[str]:
    return [part.get("content", "") for message in messages for part in message["parts"]]


def test_within_the_limit_nothing_changes(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    ask(provider, [{"role": "user", "content": "x" * 60_000}])
    assert texts(recorded(telemetry, 65_536)) == ["x" * 60_000]


@pytest.mark.parametrize("letter", ["x", "é", '"', "\n", "\x00", "😀"])
def test_the_longest_text_is_cut(telemetry: Telemetry, provider: Provider, letter: str) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    ask(
        provider,
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": letter * 200_000}],
    )
    system, user = texts(recorded(telemetry, 65_536))
    assert system == "Be brief."
    kept, _, mark = user.partition("… [")
    assert len(json.dumps(kept, ensure_ascii=False)) > 50_000
    assert int(mark.partition(" characters left out]")[0]) == 200_000 - len(kept)


def test_the_oldest_messages_go_and_the_system_message_stays(
    telemetry: Telemetry, provider: Provider
) -> None:
    telemetry.instrument(content="SPAN_ONLY", content_limit=2000)
    history = [{"role": "user", "content": f"{n} " + "x" * 200} for n in range(50)]
    ask(provider, [{"role": "system", "content": "Be brief."}, *history])
    system, mark, *newest = recorded(telemetry, 2000)
    assert texts([system]) == ["Be brief."]
    left_out = mark["parts"][0]["count"]
    assert mark["parts"][0]["type"] == "left_out"
    assert left_out + len(newest) == 50
    assert len(newest) >= 5
    assert texts(newest) == [message["content"] for message in history[left_out:]]


def test_a_message_of_many_parts_keeps_the_newest(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY", content_limit=1000)
    parts = [{"type": "text", "text": f"{n} " + "x" * 60} for n in range(100)]
    ask(provider, [{"role": "user", "content": parts}])
    *_, user = recorded(telemetry, 1000)
    mark, *newest = user["parts"]
    assert mark["count"] + len(newest) == 100
    assert newest[-1] == {"type": "text", "content": parts[-1]["text"]}


@pytest.mark.parametrize(
    "arguments",
    [
        {"numbers": list(range(50_000))},
        {"path": "a.py", "text": "x" * 300_000},
        {f"key {n}": "short" for n in range(20_000)},
    ],
)
def test_arguments_of_a_tool(
    telemetry: Telemetry, provider: Provider, arguments: dict[str, Any]
) -> None:
    telemetry.instrument(content="SPAN_ONLY")
    function = {"name": "look", "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    ask(provider, [{"role": "assistant", "tool_calls": [call]}])
    ((part,),) = [message["parts"] for message in recorded(telemetry, 65_536)]
    assert {**part, "arguments": None} == {
        "type": "tool_call",
        "id": "call_1",
        "name": "look",
        "arguments": None,
    }
    assert "characters left out]" in json.dumps(part["arguments"])
    assert len(json.dumps(part)) > 5000


def test_tools_and_system_instructions(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY", content_limit=1000)
    tools: Any = [{"name": f"tool_{n}", "input_schema": {}} for n in range(200)]
    provider.answers(shapes.ok(shapes.message())).anthropic().messages.create(
        model="claude-sonnet-4-6",
        max_tokens=9,
        system=[{"type": "text", "text": "x" * 300} for _ in range(30)],
        messages=[{"role": "user", "content": "hi"}],
        tools=tools,
    )
    attributes = telemetry.attributes()
    for name, count in (("tool.definitions", 200), ("system_instructions", 30)):
        written = attributes[f"gen_ai.{name}"]
        assert len(written) <= 1000
        mark, *kept = json.loads(written)
        assert mark["type"] == "left_out"
        assert mark["count"] + len(kept) == count
        assert kept


def test_the_answer(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY", content_limit=1000)
    chunk = shapes.chat_chunks()[1]
    client = provider.answers(shapes.sse([chunk] * 2000, done=True)).openai()
    list(client.chat.completions.create(model="gpt-4o", messages=[], stream=True))
    written = telemetry.attributes()["gen_ai.output.messages"]
    assert len(written) <= 1000
    assert json.loads(written)[0]["parts"][0]["content"].startswith("HelHelHel")


def test_none_is_no_limit(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY", content_limit="none")
    ask(provider, [{"role": "user", "content": "x" * 1_000_000}])
    assert texts(recorded(telemetry, 1_001_000)) == ["x" * 1_000_000]


@pytest.mark.parametrize("limit", [12, 100, 500, 4096])
def test_a_limit_of_the_sdk_leaves_json_or_nothing(provider: Provider, limit: int) -> None:
    """It would cut the attribute's text anywhere."""
    telemetry = Telemetry()
    telemetry.tracer_provider = TracerProvider(
        span_limits=SpanLimits(max_span_attribute_length=limit)
    )
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(telemetry.exporter))
    telemetry.instrument(content="SPAN_ONLY")
    try:
        ask(provider, [{"role": "user", "content": "x" * 10_000}])
    finally:
        farthing.uninstrument()
    written = telemetry.attributes().get("gen_ai.input.messages")
    if limit == 12:
        assert written is None
    else:
        assert len(written) <= limit
        assert "left out" in json.dumps(json.loads(written)) or "left_out" in written


@pytest.mark.parametrize("bad", ["0", "many", "-1", "999"])
def test_a_bad_limit_is_said_and_the_default_holds(
    telemetry: Telemetry,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bad: str,
) -> None:
    monkeypatch.setenv("FARTHING_CONTENT_LIMIT", bad)
    telemetry.instrument(content="SPAN_ONLY")
    assert "use a whole number of at least 1000, or none" in caplog.text
    ask(provider, [{"role": "user", "content": "x" * 200_000}])
    recorded(telemetry, 65_536)
