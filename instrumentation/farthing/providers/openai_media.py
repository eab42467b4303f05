"""The ``openai`` client's images, speech, transcriptions, translations and moderations.

The conventions name no operation for these: the names are those of what is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from farthing.endpoint import Answer, Attributes, Body, Endpoint
from farthing.reading import Field, event_fields, read, said
from farthing_processor import readers
from farthing_processor import semconv as names
from farthing_processor.readers import fields

_IMAGES: Final[tuple[Field, ...]] = ((names.REQUEST_CHOICE_COUNT, ("n",), int),)
_ENDS: Final = frozenset(
    {
        "image_generation.completed",
        "image_edit.completed",
        "speech.audio.done",
        "transcript.text.done",
    }
)
"""The events that end a stream, or one image of it, and carry its usage."""


def _of_type(output: str) -> Any:
    def request(body: Body) -> Attributes:
        attributes = read(body, _IMAGES) if output == "image" else {}
        if attributes.get(names.REQUEST_CHOICE_COUNT) == 1:
            del attributes[names.REQUEST_CHOICE_COUNT]
        return attributes | {names.OUTPUT_TYPE: output}

    return request


def _answer(body: Any) -> Answer:
    body = fields(body)
    return Answer(said(body, "id"), said(body, "model"))


def _fold(body: dict[str, Any], event: Any, _with_content: bool) -> None:
    event = event_fields(event)
    if event.get("type") in _ENDS and (usage := event.get("usage")) is not None:
        body["usage"] = usage


_IMAGE: Final = Endpoint(
    "image_generation", _of_type("image"), _answer, readers.openai_images, _fold
)
_TRANSCRIPTION: Final = Endpoint(
    "transcription", _of_type("text"), _answer, readers.openai_transcription, _fold
)

ENDPOINTS: Final = {
    "/images/generations": _IMAGE,
    "/images/edits": _IMAGE,
    "/images/variations": _IMAGE,
    "/audio/speech": Endpoint(
        "speech",
        _of_type("speech"),
        _answer,
        readers.openai_speech,
        _fold,
        request_usage=readers.openai_speech,
    ),
    "/audio/transcriptions": _TRANSCRIPTION,
    "/audio/translations": replace(_TRANSCRIPTION, operation="translation"),
    "/moderations": Endpoint("moderation", answer=_answer, usage=readers.openai_moderations),
}
