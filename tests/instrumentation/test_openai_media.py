"""The ``openai`` client beyond chat: images, sound, moderations, completions of old."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
    "output_tokens": 1056,
    "total_tokens": 1106,
}
IMAGE_COST = 0.04249
"""50 of text at 5 and 1056 of image at 40 USD a million: gpt-image-1."""
SPEECH_USAGE = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
HEARD_USAGE = {
    "type": "tokens",
    "input_tokens": 100,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 100},
    "output_tokens": 20,
    "total_tokens": 120,
}
FILE = ("a.wav", b"RIFF")


def sound(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "audio/mpeg"}, stream=shapes.Bytes([b"x"]))


def heard(_request: httpx2.Request) -> httpx2.Response:
    return shapes.ok({"text": "Hello", "usage": HEARD_USAGE})


def image(_request: httpx2.Request) -> httpx2.Response:
    return shapes.ok({"created": 1, "data": [{"b64_json": "eA=="}], "usage": IMAGE_USAGE})


Call = Callable[[openai.OpenAI], Any]
WAYS: dict[str, tuple[str, Any, Call]] = {
    "images.generate": (
        "image_generation",
        image,
        lambda c: c.images.generate(model="gpt-image-1", prompt="a farthing"),
    ),
    "images.edit": (
        "image_generation",
        image,
        lambda c: c.images.edit(model="gpt-image-1", image=FILE, prompt="shinier"),
    ),
    "images.create_variation": (
        "image_generation",
        image,
        lambda c: c.images.create_variation(model="gpt-image-1", image=FILE),
    ),
    "audio.speech": (
        "speech",
        sound,
        lambda c: c.audio.speech.create(model="tts-1", voice="alloy", input="Hello"),
    ),
    "audio.transcriptions": (
        "transcription",
        heard,
        lambda c: c.audio.transcriptions.create(model="gpt-4o-transcribe", file=FILE),
    ),
    "audio.translations": (
        "translation",
        heard,
        lambda c: c.audio.translations.create(model="gpt-4o-transcribe", file=FILE),
    ),
    "moderations": (
        "moderation",
        lambda _: shapes.ok({"id": "m", "model": "omni-moderation-2024-09-26", "results": []}),
        lambda c: c.moderations.create(model="omni-moderation-latest", input="hi"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_is_one_span_of_its_own_operation(
    telemetry: Telemetry, provider: Provider, way: str
) -> None:
    operation, reply, call = WAYS[way]
    call(provider.answers(reply).openai())
    attributes = telemetry.attributes()
    assert attributes["gen_ai.operation.name"] == operation
    assert telemetry.span().name == f"{operation} {attributes['gen_ai.request.model']}"
    assert attributes["farthing.cost.status"] in ("priced", "free", "unpriced", "partial")
    points = telemetry.points()["gen_ai.client.operation.duration"]
    assert [point.count for point in points] == [1]


def test_an_image(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(image).openai()
    client.images.generate(model="gpt-image-1", prompt="a farthing", n=2)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(IMAGE_COST, abs=0)
    assert attributes["gen_ai.usage.image.output_tokens"] == 1056
    assert attributes["gen_ai.output.type"] == "image"
    assert attributes["gen_ai.request.choice.count"] == 2


async def test_a_streamed_image(telemetry: Telemetry, provider: Provider) -> None:
    events = [
        {"type": "image_generation.partial_image", "b64_json": "eA==", "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "eA==", "usage": IMAGE_USAGE},
    ]
    client = provider.answers(shapes.sse(events)).async_openai()
    stream = await client.images.generate(model="gpt-image-1", prompt="a", stream=True)
    assert len([event async for event in stream]) == 2
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == IMAGE_COST


def test_an_image_of_a_model_billed_by_the_image(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(shapes.ok({"created": 1, "data": [{"url": "u"}]})).openai()
    client.images.generate(model="dall-e-3", prompt="a")
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert "gen_ai.usage.cost.amount" not in attributes


def test_speech_is_the_callers_alone(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(sound).openai()
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello")
    assert spoken.read() == b"x"
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Hello"
    ) as response:
        assert list(response.iter_bytes()) == [b"x"]
    assert len(telemetry.spans()) == 2
    assert "Hello" not in str(telemetry.spans()[0].attributes)


@pytest.mark.parametrize("streamed", [True, False])
def test_speech_in_events(telemetry: Telemetry, provider: Provider, streamed: bool) -> None:
    events = [
        {"type": "speech.audio.delta", "audio": "eA=="},
        {"type": "speech.audio.done", "usage": SPEECH_USAGE},
    ]
    speech = provider.answers(lambda _: shapes.sse(events)).openai().audio.speech
    given: Any = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello"}
    if streamed:
        with speech.with_streaming_response.create(stream_format="sse", **given) as response:
            response.read()
    else:
        assert b"speech.audio.done" in speech.create(stream_format="sse", **given).read()
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.input_tokens"] == 14
    assert attributes["gen_ai.usage.output_tokens"] == 101


def test_a_transcription(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(heard).openai()
    heard_text = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=FILE)
    assert heard_text.text == "Hello"
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.input_tokens"] == 100
    assert attributes["gen_ai.usage.audio.input_tokens"] == 100
    assert attributes["gen_ai.usage.output_tokens"] == 20


def test_a_streamed_transcription(telemetry: Telemetry, provider: Provider) -> None:
    events = [
        {"type": "transcript.text.delta", "delta": "Hello"},
        {"type": "transcript.text.done", "text": "Hello", "usage": HEARD_USAGE},
    ]
    client = provider.answers(shapes.sse(events)).openai()
    stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=FILE, stream=True)
    assert len(list(stream)) == 2
    assert telemetry.attributes()["gen_ai.usage.input_tokens"] == 100


def test_a_transcription_as_text(telemetry: Telemetry, provider: Provider) -> None:
    client = provider.answers(httpx2.Response(200, text="Hello")).openai()
    options: Any = {"response_format": "text"}
    assert client.audio.transcriptions.create(model="whisper-1", file=FILE, **options) == "Hello"
    assert telemetry.attributes()["farthing.cost.status"] == "usage_missing"


def test_moderation_is_free(telemetry: Telemetry, provider: Provider) -> None:
    body = {"id": "modr-1", "model": "omni-moderation-latest", "results": []}
    client = provider.answers(shapes.ok(body)).openai()
    client.moderations.create(model="omni-moderation-latest", input="hi")
    attributes = telemetry.attributes()
    assert attributes["farthing.cost.status"] == "free"
    assert attributes["gen_ai.usage.cost.amount"] == 0
    assert "farthing.calls.unpriced" not in telemetry.sums()


COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "finish_reason": "stop", "text": "Hello", "logprobs": None}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
}
COMPLETION_COST = 0.0035
"""1000 at 1.5 and 1000 out at 2 USD a million."""


def test_a_legacy_completion(provider: Provider) -> None:
    telemetry = Telemetry()
    telemetry.instrument(content="SPAN_ONLY")
    client = provider.answers(shapes.ok(COMPLETION)).openai()
    client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["Say", "hi"])
    attributes = telemetry.attributes()
    assert attributes["gen_ai.operation.name"] == "text_completion"
    assert attributes["gen_ai.usage.cost.amount"] == COMPLETION_COST
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert '"Say"' in attributes["gen_ai.input.messages"]
    assert '"Hello"' in attributes["gen_ai.output.messages"]


def test_a_streamed_legacy_completion(provider: Provider) -> None:
    telemetry = Telemetry()
    telemetry.instrument(content="SPAN_ONLY", include_usage=True)
    head = {k: v for k, v in COMPLETION.items() if k not in ("choices", "usage")}

    def choice(text: str, reason: str | None) -> list[dict[str, Any]]:
        return [{"index": 0, "finish_reason": reason, "text": text}]

    events = [
        head | {"choices": choice("Hel", None)},
        head | {"choices": choice("lo", "stop")},
        head | {"choices": [], "usage": COMPLETION["usage"]},
    ]
    client = provider.answers(shapes.sse(events, done=True)).openai()
    stream = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "Hello"
    assert provider.body()["stream_options"] == {"include_usage": True}
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == COMPLETION_COST
    assert '"Hello"' in attributes["gen_ai.output.messages"]


def test_counting_tokens_costs_nothing(telemetry: Telemetry, provider: Provider) -> None:
    body = {"object": "response.input_tokens", "input_tokens": 11}
    client = provider.answers(shapes.ok(body)).openai()
    client.responses.input_tokens.count(model="gpt-5", input="hi")
    attributes = telemetry.attributes()
    assert attributes["gen_ai.operation.name"] == "count_tokens"
    assert not [name for name in attributes if name.startswith(("gen_ai.usage", "farthing.cost"))]
    assert "farthing.calls.unpriced" not in telemetry.sums()


def test_a_compacted_conversation(telemetry: Telemetry, provider: Provider) -> None:
    body = {
        "id": "resp_2",
        "object": "response.compaction",
        "created_at": 1,
        "output": [],
        "usage": shapes.RESPONSES_USAGE,
    }
    client = provider.answers(shapes.ok(body)).openai()
    client.responses.compact(model="gpt-5-2025-08-07", input="hi")
    attributes = telemetry.attributes()
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.usage.cost.amount"] == shapes.RESPONSES_COST
