"""The redaction hook: what it has not passed is not recorded, whatever becomes of it."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType
from typing import Any

import pytest

import farthing
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

CONTENT = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
SECRET = "alice@example.org"
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {
        "name": "look",
        "arguments": json.dumps({"who": [SECRET], SECRET: {"card": 4111111111111111}}),
    },
}
CHAT: Any = [
    {"role": "system", "content": f"You serve {SECRET}."},
    {
        "role": "user",
        "name": SECRET,
        "content": [
            {"type": "text", "text": f"I am {SECRET}.\n{SECRET}"},
            {"type": "image_url", "image_url": {"url": f"https://example.org/{SECRET}.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": SECRET}]},
]
ANSWER = shapes.chat(
    choices=[
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": SECRET, "reasoning_content": SECRET},
        }
    ]
)


def masked(text: str) -> str:
    return re.sub(r"\S+@\S+|\b\d{16}\b", "***", text)


def ask(provider: Provider) -> None:
    provider.answers(shapes.ok(ANSWER)).openai().chat.completions.create(
        model="gpt-4o", messages=CHAT
    )
    provider.answers(shapes.ok(shapes.message())).anthropic().messages.create(
        model="claude-sonnet-4-6",
        max_tokens=9,
        system=f"You serve {SECRET}.",
        messages=[{"role": "user", "content": SECRET}],
    )


def recorded(telemetry: Telemetry) -> list[dict[str, Any]]:
    found = [dict(span.attributes or {}) for span in telemetry.spans()]
    return [{n: json.loads(at[n]) for n in CONTENT if n in at} for at in found]


def test_every_text_passes_the_function(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY", redact=masked)
    ask(provider)
    chat, claude = recorded(telemetry)
    assert SECRET not in str(chat) + str(claude)
    assert "4111111111111111" not in str(chat)
    system, user, called, answered = chat["gen_ai.input.messages"]
    assert system["parts"] == [{"type": "text", "content": "You serve ***"}]
    assert user["name"] == "***"
    assert user["parts"][0] == {"type": "text", "content": "I am ***\n***"}
    assert user["parts"][2] == {
        "type": "blob_left_out",
        "modality": "image",
        "mime_type": "image/png",
        "size": 4,
    }
    assert called["parts"][0]["arguments"] == {"who": ["***"], "***": {"card": "***"}}
    assert called["parts"][0]["name"] == "look"
    assert answered["parts"][0]["response"] == [{"type": "text", "content": "***"}]
    assert chat["gen_ai.output.messages"][0]["parts"] == [
        {"type": "reasoning", "content": "***"},
        {"type": "text", "content": "***"},
    ]
    assert claude["gen_ai.system_instructions"] == [{"type": "text", "content": "You serve ***"}]
    assert SECRET in provider.requests[0].content.decode()


def test_none_leaves_it_out(telemetry: Telemetry, provider: Provider) -> None:
    telemetry.instrument(content="SPAN_ONLY", redact=lambda text: None)
    ask(provider)
    chat, _ = recorded(telemetry)
    assert chat["gen_ai.output.messages"] == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "[left out]"},
                {"type": "text", "content": "[left out]"},
            ],
        }
    ]
    assert SECRET not in str(chat)


def raising(text: str) -> str:
    raise RuntimeError(f"cannot read {text}")


async def asynchronous(text: str) -> str:
    return text


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("redact", [raising, asynchronous, lambda text: text.encode()])
def test_a_function_that_fails_records_nothing_and_is_said_once(
    telemetry: Telemetry, provider: Provider, caplog: pytest.LogCaptureFixture, redact: Any
) -> None:
    telemetry.instrument(content="SPAN_ONLY", redact=redact)
    ask(provider)
    chat, claude = recorded(telemetry)
    assert SECRET not in str(chat) + str(claude)
    assert chat["gen_ai.output.messages"][0]["parts"][1]["content"] == "[left out]"
    (said,) = caplog.records
    assert "redact" in said.getMessage()
    assert SECRET not in caplog.text


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("redacting_application")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_by_name(
    telemetry: Telemetry,
    provider: Provider,
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FARTHING_REDACT", "redacting_application:masked")
    telemetry.instrument(content="SPAN_ONLY")
    module.__dict__["masked"] = masked  # there by the first call, not before
    ask(provider)
    assert SECRET not in str(recorded(telemetry))
    assert "***" in str(recorded(telemetry))


@pytest.mark.parametrize(
    "name", ["no_such_module:masked", "redacting_application:absent", "redacting_application", "7"]
)
@pytest.mark.parametrize("given", ["environment", "code"])
def test_a_name_that_cannot_be_imported_records_no_content(
    telemetry: Telemetry,
    provider: Provider,
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    given: str,
) -> None:
    if given == "environment":
        monkeypatch.setenv("FARTHING_REDACT", name)
        telemetry.instrument(content="SPAN_ONLY")
    else:
        telemetry.instrument(content="SPAN_ONLY", redact=name)
    ask(provider)
    assert recorded(telemetry) == [{}, {}]
    assert telemetry.spans()[0].attributes["gen_ai.usage.input_tokens"] == 2006
    (said,) = caplog.records
    assert "package.module:function" in said.getMessage()


def test_not_called_where_nothing_is_recorded(telemetry: Telemetry, provider: Provider) -> None:
    seen: list[str] = []
    telemetry.instrument(redact=seen.append, estimate=True)
    ask(provider)
    assert seen == []
    telemetry.instrument(redact=seen.append, content="SPAN_ONLY")
    ask(provider)
    assert SECRET in seen


def test_calls_of_the_function_are_recorded_without_content(
    telemetry: Telemetry, provider: Provider
) -> None:
    """A model may well be what redacts."""
    client = provider.answers(shapes.ok(shapes.chat())).openai()

    def by_model(text: str) -> str:
        answer = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": text}]
        )
        return answer.choices[0].message.content or ""

    telemetry.instrument(content="SPAN_ONLY", redact=by_model)
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    found = {span.attributes["gen_ai.request.model"]: span.attributes for span in telemetry.spans()}
    assert len(telemetry.spans()) == 3
    assert "gen_ai.input.messages" not in found["gpt-4o-mini"]
    assert "Hello" in found["gpt-4o"]["gen_ai.input.messages"]


def test_redacted_before_it_is_cut(telemetry: Telemetry, provider: Provider) -> None:
    """A limit that cut a secret in two would hide one half from the function."""
    telemetry.instrument(content="SPAN_ONLY", redact=masked, content_limit=1000)
    text = " ".join(f"{'x' * n} {SECRET}" for n in range(60))
    provider.answers(shapes.ok(shapes.chat())).openai().chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}]
    )
    (chat,) = recorded(telemetry)
    assert "alice" not in str(chat)
    assert "left out" in str(chat)


def test_again_with_the_same_function_changes_nothing(telemetry: Telemetry) -> None:
    telemetry.instrument(content="SPAN_ONLY", redact=masked)
    before = farthing.telemetry.current()
    telemetry.instrument(content="SPAN_ONLY", redact=masked)
    assert farthing.telemetry.current() is before
