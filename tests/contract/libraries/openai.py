"""The ``openai`` client's public methods, and what is to be recorded of each."""

from __future__ import annotations

import copy
from typing import Any, Final

import openai
from pydantic import BaseModel

from tests.contract.server import Reply, answer, error, events
from tests.contract.table import Library, Method, tokens
from tests.instrumentation import shapes

MESSAGES: Final = [{"role": "user", "content": "hi"}]
CHAT: Final = {"model": "gpt-4o", "messages": MESSAGES}
RESPONSES: Final = {"model": "gpt-5", "input": "hi"}


class Word(BaseModel):
    word: str


_JSON: Final = '{"word": "hi"}'


def _chat_json() -> dict[str, Any]:
    body = shapes.chat()
    body["choices"][0] = copy.deepcopy(body["choices"][0])
    body["choices"][0]["message"]["content"] = _JSON
    return body


def _chat_json_chunks() -> list[dict[str, Any]]:
    head, *_, last, usage = shapes.chat_chunks()
    return [head, *(_delta(head, text) for text in (_JSON[:5], _JSON[5:])), last, usage]


def _delta(head: dict[str, Any], text: str) -> dict[str, Any]:
    return head | {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def _response_json() -> dict[str, Any]:
    body = shapes.response()
    body["output"][0]["content"][0]["text"] = _JSON
    return body


def _text_completions() -> list[dict[str, Any]]:
    head = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "gpt-3.5-turbo-instruct",
    }
    choice = {"index": 0, "text": "Hello", "logprobs": None, "finish_reason": None}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return [
        head | {"choices": [choice]},
        head | {"choices": [choice | {"text": "", "finish_reason": "stop"}]},
        head | {"choices": [], "usage": usage},
    ]


def _text_completion() -> dict[str, Any]:
    _, last, usage = _text_completions()
    return last | {"usage": usage["usage"]}


_IMAGES: Final = {
    "created": 1,
    "data": [{"b64_json": "aGVsbG8="}],
    "usage": {
        "input_tokens": 50,
        "output_tokens": 1056,
        "total_tokens": 1106,
        "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 1056},
    },
}
_TRANSCRIPTION: Final = {
    "text": "Hello",
    "usage": {
        "type": "tokens",
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 100},
    },
}
_MODERATION: Final = {
    "id": "modr-1",
    "model": "omni-moderation-latest",
    "results": [
        {
            "flagged": False,
            "categories": {},
            "category_scores": {},
            "category_applied_input_types": {},
        }
    ],
}
_SOUND: Final = Reply((b"\xff\xf3sound", b"more\x00sound"), "audio/mpeg")
_FILE: Final = ("sound.mp3", b"sound")
_PICTURE: Final = ("picture.png", b"\x89PNG")

_CHAT_USAGE: Final = tokens(2006, 300, cache_read=1920, reasoning=40)
_RESPONSES_USAGE: Final = tokens(12033, 1044, cache_read=11904, reasoning=1000)
_CHAT_PAID: Final[dict[str, Any]] = {"usage": _CHAT_USAGE, "cost": shapes.CHAT_COST}
_RESPONSES_PAID: Final[dict[str, Any]] = {
    "usage": _RESPONSES_USAGE,
    "cost": shapes.RESPONSES_COST,
}

_METHODS: Final = (
    Method("chat.completions.create", CHAT, answer(shapes.chat()), **_CHAT_PAID, sample=True),
    Method(
        "chat.completions.create",
        CHAT | {"stream": True, "stream_options": {"include_usage": True}},
        events(shapes.chat_chunks(), done=True),
        **_CHAT_PAID,
        sample=True,
    ),
    Method(
        "chat.completions.parse",
        CHAT | {"response_format": Word},
        answer(_chat_json()),
        **_CHAT_PAID,
    ),
    Method(
        "chat.completions.stream",
        CHAT | {"response_format": Word},
        events(_chat_json_chunks(), done=True),
        **_CHAT_PAID,
        finals=("get_final_completion", "until_done"),
        forms=(),
        paces=False,
    ),
    Method("responses.create", RESPONSES, answer(shapes.response()), **_RESPONSES_PAID),
    Method(
        "responses.create",
        RESPONSES | {"stream": True},
        events(shapes.response_events()),
        **_RESPONSES_PAID,
    ),
    Method(
        "responses.parse",
        RESPONSES | {"text_format": Word},
        answer(_response_json()),
        **_RESPONSES_PAID,
        forms=("raw",),
    ),
    Method(
        "responses.stream",
        RESPONSES,
        events(shapes.response_events()),
        **_RESPONSES_PAID,
        finals=("get_final_response", "until_done"),
        forms=(),
        paces=False,
    ),
    Method(
        "responses.retrieve",
        {"response_id": "resp_1"},
        answer(shapes.response()),
        operation="fetch_response",
        status=None,
    ),
    Method(
        "embeddings.create",
        {"model": "text-embedding-3-large", "input": "hi"},
        answer(shapes.embeddings()),
        operation="embeddings",
        usage=tokens(1000),
        cost=0.00013,
    ),
    Method(
        "chat.completions.create",
        CHAT | {"model": "my-deployment"},
        answer(shapes.chat()),
        **_CHAT_PAID,
        client="azure",
    ),
    Method(
        "chat.completions.create",
        CHAT | {"model": "my-deployment", "stream": True},
        events(shapes.chat_chunks(), done=True),
        **_CHAT_PAID,
        client="azure",
    ),
    Method(
        "completions.create",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "hi"},
        answer(_text_completion()),
        operation="text_completion",
        usage=tokens(100, 20),
        cost=0.00019,
    ),
    Method(
        "completions.create",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "hi", "stream": True},
        events(_text_completions(), done=True),
        operation="text_completion",
        usage=tokens(100, 20),
        cost=0.00019,
    ),
    Method(
        "images.generate",
        {"model": "gpt-image-1", "prompt": "a farthing"},
        answer(_IMAGES),
        operation="image_generation",
        usage=tokens(50, 1056, image_output=1056),
        cost=0.04249,
    ),
    Method(
        "images.edit",
        {"model": "gpt-image-1", "prompt": "a farthing", "image": _PICTURE},
        answer(_IMAGES),
        operation="image_generation",
        usage=tokens(50, 1056, image_output=1056),
        cost=0.04249,
    ),
    Method(
        "images.create_variation",
        {"model": "dall-e-2", "image": _PICTURE},
        answer({"created": 1, "data": [{"url": "http://127.0.0.1/1.png"}]}),
        operation="image_generation",
        status="usage_missing",
    ),
    Method(
        "audio.speech.create",
        {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "hi"},
        _SOUND,
        operation="speech",
        status="usage_missing",
    ),
    Method(
        "audio.transcriptions.create",
        {"model": "gpt-4o-transcribe", "file": _FILE},
        answer(_TRANSCRIPTION),
        operation="transcription",
        usage=tokens(100, 20, audio_input=100),
        cost=0.0008,
    ),
    Method(
        "audio.translations.create",
        {"model": "whisper-1", "file": _FILE},
        answer({"text": "Hello"}),
        operation="translation",
        status="usage_missing",
    ),
    Method(
        "moderations.create",
        {"model": "omni-moderation-latest", "input": "hi"},
        answer(_MODERATION),
        operation="moderation",
        cost=0.0,
        status="free",
    ),
)


def _client(make: Any) -> Any:
    def client(url: str, http_client: Any, _tracer_provider: Any, **options: Any) -> Any:
        return make(api_key="key", base_url=f"{url}/v1", http_client=http_client, **options)

    return client


def _azure(make: Any) -> Any:
    def client(url: str, http_client: Any, _tracer_provider: Any, **options: Any) -> Any:
        return make(
            api_key="key",
            api_version="2026-01-01",
            azure_endpoint=url,
            http_client=http_client,
            **options,
        )

    return client


LIBRARY: Final = Library(
    name="openai",
    clients={
        "": (_client(openai.OpenAI), _client(openai.AsyncOpenAI)),
        "azure": (_azure(openai.AzureOpenAI), _azure(openai.AsyncAzureOpenAI)),
    },
    methods=_METHODS,
    error_event=error(200).but(
        kind="text/event-stream", pieces=(b'data: {"error": {"message": "overloaded"}}\n\n',)
    ),
)
