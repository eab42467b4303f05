"""What is not chat: images, speech, transcriptions and moderations, read and priced."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import openai.types
import openai.types.audio
import pytest
from openai._models import construct_type  # what the client makes of an answer

from farthing_processor import readers
from farthing_processor.assessment import Assessment, assess
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing.explain import main
from farthing_processor.readers import READERS
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
NOBODY = Attribution()


def assessed(
    usage: Usage | None, model: str, operation: str = "transcription", provider: str = "openai"
) -> Assessment:
    facts = Facts(provider, model, operation=operation, usage=usage, start_ns=NOW)
    return assess(facts, NOBODY)


TOKENS = {
    "type": "tokens",
    "input_tokens": 114,
    "input_token_details": {"audio_tokens": 100, "text_tokens": 14},
    "output_tokens": 31,
    "total_tokens": 145,
}


@pytest.mark.parametrize("operation", ["transcription", "generate_content"])
def test_a_transcription_by_the_token(operation: str) -> None:
    body = construct_type(
        value={"text": "Hi.", "usage": TOKENS},
        type_=openai.types.audio.TranscriptionCreateResponse,
    )
    usage = readers.openai_transcription(body)
    assert usage == Usage(114, 31, input_audio_tokens=100)
    said = assessed(usage, "gpt-4o-transcribe", operation)
    # 14 x $2.5/M + 100 x $6/M + 31 x $10/M
    assert (said.status, said.cost) == ("priced", 0.000945)


def test_the_end_of_a_streamed_transcription() -> None:
    event = construct_type(
        value={"type": "transcript.text.done", "text": "Hi.", "usage": TOKENS},
        type_=openai.types.audio.TranscriptionStreamEvent,
    )
    assert isinstance(event, openai.types.audio.TranscriptionTextDoneEvent)
    assert readers.openai_transcription(event) == Usage(114, 31, input_audio_tokens=100)
    delta = {"type": "transcript.text.delta", "delta": "H"}
    assert readers.openai_transcription(delta) is None


@pytest.mark.parametrize(
    ("seconds", "exact", "cost"),
    [("9", "0.0009", 0.0009), ("8.47", "0.000847", 0.000847), ("0", "0", 0.0)],
)
@pytest.mark.parametrize("operation", ["transcription", "translation", "generate_content"])
def test_a_transcription_by_the_second(
    operation: str, seconds: str, exact: str, cost: float
) -> None:
    value = json.loads(f'{{"text": "", "usage": {{"type": "duration", "seconds": {seconds}}}}}')
    for body in (
        value,
        construct_type(value=value, type_=openai.types.audio.TranscriptionCreateResponse),
    ):
        usage = readers.openai_transcription(body)
        assert usage is not None
        assert usage.input_audio_seconds == Decimal(seconds)
        said = assessed(usage, "whisper-1", operation)
        assert (said.status, said.cost) == ("priced", cost)
        assert said.by_class == ({"input": cost} if cost else {})
    call = {
        "provider": "openai",
        "api": "audio.transcriptions",
        "model": "whisper-1",
        "timestamp": "2026-11-20T12:00:00Z",
        "usage": value["usage"],
    }
    assert json.loads(main(json.dumps(call), as_json=True)[1])["usd"] == exact


def test_a_bill_by_the_second_for_a_person() -> None:
    call = {
        "provider": "mistral",
        "api": "audio.transcriptions",
        "model": "voxtral-mini-2602",
        "timestamp": "2026-11-20T12:00:00Z",
        "usage": {"type": "duration", "seconds": 3600.5},
    }
    assert main(json.dumps(call), as_json=False) == (
        0,
        """\
mistral voxtral-mini-2602
  audio seconds  3,600.5 x $0.18/h = $0.180025
  total                              $0.180025
  priced; model matched: exact; genai-prices 0.2.3
""",
        "",
    )


def test_an_amount_without_an_end_is_the_nearest_double() -> None:
    said = assessed(Usage(input_audio_seconds=Decimal(1)), "voxtral-mini-transcribe-3-0",
                    provider="mistral_ai")  # fmt: skip
    assert said.status == "priced"
    assert said.cost == 0.21 / 3600


@pytest.mark.parametrize(
    "seconds", [-1, True, "x", "NaN", "1e-999999", 10**400, 1e300, [], float("nan"), "9" * 5000]
)
def test_seconds_that_are_none(seconds: object) -> None:
    usage = readers.openai_transcription({"usage": {"type": "duration", "seconds": seconds}})
    assert usage == Usage(problem="invalid seconds")
    assert assessed(usage, "whisper-1").status == "usage_missing"


@pytest.mark.parametrize("seconds", [Decimal(-1), Decimal("NaN"), Decimal("1E-999999"), 5, 1.5])
def test_seconds_that_are_none_are_not_priced(seconds: Any) -> None:
    said = assessed(Usage(10, 10, input_audio_seconds=seconds), "gpt-5", "chat")
    assert (said.status, said.cost) == ("inconsistent", 0.0001125)


def test_seconds_of_a_model_that_is_billed_by_the_token() -> None:
    said = assessed(Usage(input_audio_seconds=Decimal(9)), "gpt-4o-transcribe")
    assert (said.status, said.cost, said.reason) == ("unpriced", None, "no_price")
    beside = assessed(Usage(1000, 100, input_audio_seconds=Decimal(9)), "gpt-5", "chat")
    assert (beside.status, beside.cost) == ("partial", 0.00225)


@pytest.mark.parametrize("model", ["whisper-large-v3", "whisper-large-v3-turbo"])
def test_a_minimum_that_the_pack_cannot_say_has_no_price(model: str) -> None:
    usage = Usage(input_audio_seconds=Decimal(2))
    for each in (usage, usage._replace(batch=True)):
        assert assessed(each, model, provider="groq").status == "unpriced"


@pytest.mark.parametrize(
    "body",
    ["1\n00:00:00,000 --> 00:00:01,000\nHi.\n", {"text": "Hi."}, {"duration": 8.47, "text": "Hi."}],
)
def test_a_transcription_without_usage(body: object) -> None:
    assert readers.openai_transcription(body) is None
    said = assessed(None, "whisper-1")
    assert (said.status, said.cost, said.reason) == ("usage_missing", None, "usage_missing")


def test_speech_by_the_character() -> None:
    request = {"model": "tts-1", "input": "Grüße an alle!", "voice": "alloy"}
    usage = readers.openai_speech(request)
    assert usage == Usage(input_characters=14)
    for operation in ("speech", "generate_content"):
        said = assessed(usage, "tts-1", operation)
        assert (said.status, said.cost) == ("priced", 14 * 15 / 10**6)
    assert assessed(usage, "tts-1-hd", "speech").cost == 14 * 30 / 10**6
    call = {
        "provider": "openai",
        "api": "audio.speech",
        "model": "tts-1",
        "usage": None,
        "context": {"request.input": "Grüße an alle!"},
    }
    assert json.loads(main(json.dumps(call), as_json=True)[1])["usd"] == "0.00021"


def test_speech_by_the_token() -> None:
    done = {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115},
    }
    usage = readers.openai_speech(done)
    assert usage == Usage(14, 101)
    # 14 x $0.6/M + 101 x $12/M
    said = assessed(usage, "gpt-4o-mini-tts", "speech")
    assert (said.status, said.cost) == ("priced", 0.0012204)
    assert readers.openai_speech({"type": "speech.audio.delta", "audio": "AAAA"}) is None


def test_speech_by_the_token_that_does_not_report_them() -> None:
    usage = readers.openai_speech({"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy"})
    said = assessed(usage, "gpt-4o-mini-tts", "speech")
    assert (said.status, said.cost, said.reason) == ("usage_missing", None, "usage_missing")


MODERATION = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}


@pytest.mark.parametrize(
    ("provider", "status", "cost"),
    [
        ("openai", "free", 0.0),
        # It resells OpenAI's models, but has no such endpoint.
        ("azure.ai.openai", "usage_missing", None),
        ("_OTHER", "usage_missing", None),
    ],
)
@pytest.mark.parametrize("model", ["omni-moderation-latest", "text-moderation-007"])
def test_a_moderation_is_free(model: str, provider: str, status: str, cost: float | None) -> None:
    body = openai.types.ModerationCreateResponse.construct(**MODERATION)
    said = assessed(readers.openai_moderations(body), model, "moderation", provider)
    assert (said.status, said.cost) == (status, cost)
    batched = readers.openai_batch(MODERATION)
    said = assessed(batched, model, "moderation", provider)
    assert (said.status, said.cost) == (status, cost)


def test_only_a_moderation_is_free() -> None:
    said = assessed(readers.openai_moderations(MODERATION), "gpt-5", "moderation")
    assert (said.status, said.cost) == ("usage_missing", None)


IMAGE_USAGE = {
    "input_tokens": 350,
    "input_tokens_details": {"image_tokens": 300, "text_tokens": 50},
    "output_tokens": 1100,
    "output_tokens_details": {"image_tokens": 1000, "text_tokens": 100},
    "total_tokens": 1450,
}


@pytest.mark.parametrize("operation", ["image_generation", "generate_content"])
def test_images(operation: str) -> None:
    body = openai.types.ImagesResponse.model_validate({"created": 1, "usage": IMAGE_USAGE})
    usage = readers.openai_images(body)
    assert usage == Usage(350, 1100, input_image_tokens=300, output_image_tokens=1000)
    said = assessed(usage, "gpt-image-1.5", operation)
    # 50 x $5/M + 300 x $8/M + 100 x $10/M + 1000 x $32/M
    assert (said.status, said.cost) == ("priced", 0.03565)


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_the_image_that_a_stream_completes(kind: str) -> None:
    usage = {name: IMAGE_USAGE[name] for name in IMAGE_USAGE if name != "output_tokens_details"}
    event = {"type": f"{kind}.completed", "b64_json": "AAAA", "usage": usage}
    read = readers.openai_images(event)
    assert read == Usage(350, 1100, input_image_tokens=300, output_image_tokens=1100)
    assert readers.openai_images({"type": f"{kind}.partial_image", "b64_json": "AAAA"}) is None


def test_half_the_counts_of_an_image_are_partial() -> None:
    said = assessed(Usage(350, None), "gpt-image-1.5", "image_generation")
    assert (said.status, said.cost) == ("partial", 0.00175)


def test_an_image_that_is_billed_by_the_piece() -> None:
    body = {"created": 1, "data": [{"url": "https://images.example/1"}]}
    usage = readers.openai_images(body)
    assert usage is None
    assert assessed(usage, "dall-e-3", "image_generation").status == "usage_missing"


def test_batches_of_images_and_of_text() -> None:
    image = {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": IMAGE_USAGE}
    assert readers.openai_batch(image) == Usage(
        350, 1100, input_image_tokens=300, output_image_tokens=1000, batch=True
    )
    legacy = {"object": "text_completion", "usage": {"prompt_tokens": 5, "completion_tokens": 7}}
    assert readers.openai_batch(legacy) == Usage(5, 7, batch=True)


def test_legacy_completions_and_embeddings() -> None:
    completion = {"usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}
    usage = READERS["openai", "completions"](completion)
    said = assessed(usage, "gpt-3.5-turbo-instruct", "text_completion")
    assert (said.status, said.cost) == ("priced", 0.0017)
    embedding = {"usage": {"prompt_tokens": 1000, "total_tokens": 1000}}
    usage = READERS["openai", "embeddings"](embedding)
    said = assessed(usage, "text-embedding-3-small", "embeddings")
    assert (said.status, said.cost) == ("priced", 0.00002)
