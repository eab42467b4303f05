"""Readers of OpenAI's images, speech, transcriptions and moderations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from farthing_processor.readers.compatible import charged
from farthing_processor.readers.openai_tokens import INPUT, REALTIME, summed, token_usage
from farthing_processor.readers.values import Fields, count_in, fields, name_in, seconds_in
from farthing_processor.usage import Usage, fitted, joined

UNNAMED_IMAGE_MODEL: Final = "image_generation"
"""Stands for the image model of a hosted tool call where the response does not name it. It has no
price, so that such a call comes out as partial: its default model changes over time."""

_SECONDS: Final = ("seconds", "prompt_audio_seconds")
"""What OpenAI and Mistral call a duration that is billed."""


def openai_images(body: object) -> Usage | None:
    """Images, or the event of a stream that completes one (``image_generation.completed``).

    Tokens of the image model, and beside them those of the model that wrote an SVG. Without details
    the whole output is image. An answer of a model that is billed by the image has no usage.
    """
    response = fields(body)
    read = image_tokens(fields(response.get("usage")))
    also = tuple(svg_tokens(response))
    if read is None:
        return Usage(also=also) if also else None
    return read._replace(also=also) if also else read


def openai_transcription(body: object) -> Usage | None:
    """Transcriptions and translations, or the event that ends a stream (``transcript.text.done``).

    Usage is in tokens or in seconds, as the model is billed: where there are seconds, tokens are
    none of the bill (Mistral reports both, https://docs.mistral.ai/capabilities/audio_transcription).
    Plain text and subtitles have no usage, and a verbose answer's ``duration`` is none: it does not
    say how that is rounded for the bill.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    if not usage:
        return None
    name = next((name for name in _SECONDS if usage.get(name)), None)
    if name is None and "seconds" not in usage:
        return token_usage(response, usage, REALTIME)
    faults: list[str] = []
    seconds = seconds_in(usage, name or "seconds", faults)
    return Usage(input_audio_seconds=seconds, problem=joined(*faults))


def openai_speech(body: object) -> Usage | None:
    """Speech: the event that ends a stream (``speech.audio.done``), or the body of the request.

    An answer that is sound reports nothing. The characters of the request's ``input`` are then its
    usage, for models that are billed by them; others have none. Which is which the pack knows.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    if usage:
        return token_usage(response, usage, INPUT)
    text = response.get("input")
    return Usage(input_characters=len(text)) if isinstance(text, str) else None


def openai_moderations(body: object) -> Usage | None:
    """Moderations: nothing is reported, nor is there a need: they are free where the pack says so.

    Their answer is known by its ``results``.
    """
    return Usage() if "results" in fields(body) else None


def image_tokens(usage: Fields) -> Usage | None:
    """The usage of an image model, from the images API or from a hosted tool."""
    if not usage:
        return None
    faults: list[str] = []
    inp = count_in(usage, "input_tokens", faults)
    out = count_in(usage, "output_tokens", faults)
    total = count_in(usage, "total_tokens", faults)
    if total is not None and inp is not None:
        inp, out = summed(inp, out, total, 0, 0, faults)
    details = fields(usage.get("input_tokens_details"))
    cached = fields(usage.get("cached_tokens_details"))
    output = fields(usage.get("output_tokens_details"))
    out_image = count_in(output, "image_tokens", faults)
    return fitted(
        Usage(
            inp,
            out,
            cache_read_tokens=count_in(usage, "cached_tokens", faults) or 0,
            input_image_tokens=count_in(details, "image_tokens", faults) or 0,
            cache_read_image_tokens=count_in(cached, "cached_image_tokens", faults) or 0,
            output_image_tokens=(out or 0) if out_image is None else out_image,
            reported_cost=charged(usage, faults),
            problem=joined(*faults),
        )
    )


def svg_tokens(owner: Fields) -> Iterator[tuple[str, Usage]]:
    """The tokens of the model that wrote an SVG, which it names itself."""
    usage = fields(owner.get("svg_usage"))
    if usage:
        faults: list[str] = []
        inp = count_in(usage, "input_tokens", faults)
        out = count_in(usage, "output_tokens", faults)
        reasoning = count_in(usage, "reasoning_tokens", faults)
        model = name_in(usage, "model", faults) or UNNAMED_IMAGE_MODEL
        yield model, Usage(inp, out, reasoning_tokens=reasoning, problem=joined(*faults))
