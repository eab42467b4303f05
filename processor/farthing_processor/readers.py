"""Usage readers: from a provider's response body to `Usage`, one function for each API.

A body is the decoded JSON or the client's own object (a pydantic model, read through its fields
and its extra fields, never dumped). Readers are total: they raise on nothing that JSON can say. A
count that is not one (negative, fractional, boolean, text, absurdly large) is taken as not
reported and named in `Usage.problem`. Absent usage reads as None.

Shapes: the types of the `openai` 3.54 and `anthropic` 2.12 clients, whose docstrings are the
source of every rule that is not otherwise sourced here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from farthing_processor.usage import MAX_COUNT, STANDARD_TIERS, Usage, fitted, joined

Fields = Mapping[str, Any]
Reader = Callable[[object], Usage | None]

MAX_NAME = 64
"""Longer tiers, speeds and regions are not names."""

UNNAMED_IMAGE_MODEL = "image_generation"
"""Stands for the image model of a hosted tool call where the response does not name it. It has no
price, so that such a call comes out as partial: its default model changes over time."""

_NOTHING: Fields = {}


class _Names(NamedTuple):
    """What an API calls the four members of its usage object."""

    input: str
    input_details: str
    output: str
    output_details: str


class _Setting(NamedTuple):
    """How Anthropic served a request, as `Usage` names it."""

    tier: str
    batch: bool
    speed: str
    geo: str


_PROMPT = _Names(
    "prompt_tokens", "prompt_tokens_details", "completion_tokens", "completion_tokens_details"
)
_INPUT = _Names("input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details")


def openai_chat(body: object) -> Usage | None:
    """Chat completions, legacy completions and embeddings; a streamed chunk that carries usage.

    Input includes cache reads and writes, output includes reasoning and rejected predictions.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    return _openai(response, usage, _PROMPT) if usage else None


def openai_responses(body: object) -> Usage | None:
    """Responses, and the fees of its hosted tools.

    Billable searches are ``tool_usage.web_search.num_requests``; where that is absent, the calls
    whose action is a search (opening a page and finding in it are free). Image generation has its
    own tokens beside ``usage``, billed by the image model named in the response's ``tools``, else
    by `UNNAMED_IMAGE_MODEL`.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    if not usage:
        return None
    faults: list[str] = []
    tools = fields(response.get("tool_usage"))
    searches = _count(fields(tools.get("web_search")), "num_requests", faults)
    seen_searches = files = 0
    also: list[tuple[str, Usage]] = []
    for item in _items(response.get("output")):
        kind = item.get("type")
        if kind == "web_search_call":
            seen_searches += fields(item.get("action")).get("type") == "search"
        elif kind == "file_search_call":
            files += 1
        elif kind == "image_generation_call":
            also += _svg(item)
    images = _images(fields(tools.get("image_gen")))
    if images and (images.input_tokens or images.output_tokens):
        models = {
            name
            for tool in _items(response.get("tools"))
            if tool.get("type") == "image_generation" and (name := _name(tool, "model", faults))
        }
        also.append((models.pop() if len(models) == 1 else UNNAMED_IMAGE_MODEL, images))
    read = _openai(response, usage, _INPUT)
    if not (searches or seen_searches or files or also or faults):
        return read
    return read._replace(
        web_searches=seen_searches if searches is None else searches,
        file_searches=files,
        also=tuple(also),
        problem=joined(read.problem, *faults),
    )


def openai_images(body: object) -> Usage | None:
    """Images: tokens of the image model, and beside them those of the model that wrote an SVG.

    Without details the whole output is image.
    """
    response = fields(body)
    read = _images(fields(response.get("usage")))
    also = tuple(_svg(response))
    if read is None:
        return Usage(also=also) if also else None
    return read._replace(also=also) if also else read


def openai_batch(body: object) -> Usage | None:
    """The body of one result of a batch, whichever API it was for: nothing in it says batch.

    Not for the totals of a Batch object: a long-context threshold is of one request.
    """
    usage = fields(fields(body).get("usage"))
    read = openai_responses(body) if _INPUT.input in usage else openai_chat(body)
    return read and read._replace(batch=True)


def anthropic_messages(body: object) -> Usage | None:
    """Messages, their beta and a result of a batch.

    ``input_tokens`` excludes cache reads and writes, so the three are added. Compaction and advisor
    iterations are not in the top-level counts and go to `Usage.also`, an advisor under its own
    model (https://platform.claude.com/docs/en/build-with-claude/compaction).
    """
    usage = fields(fields(body).get("usage"))
    if not usage:
        return None
    faults: list[str] = []
    tier = _name(usage, "service_tier", faults)
    geo = _name(usage, "inference_geo", faults)
    speed = _name(usage, "speed", faults)
    batch = tier == "batch"
    setting = _Setting(
        "" if batch or tier in STANDARD_TIERS else tier,
        batch,
        "" if speed == "standard" else speed,
        "" if geo in ("global", "not_available") else geo,
    )
    read = _anthropic(usage, setting, faults)
    iterations = usage.get("iterations")
    if iterations:
        read = _iterations(read, setting, iterations, faults)
    status = fields(fields(usage.get("fallback_credit")).get("status"))
    if status.get("type") == "redeemed":
        faults.append("fallback credit redeemed")
    if faults:
        read = read._replace(problem=joined(read.problem, *faults))
    return fitted(read)


READERS: Mapping[tuple[str, str], Reader] = {
    ("openai", "chat.completions"): openai_chat,
    ("openai", "completions"): openai_chat,
    ("openai", "responses"): openai_responses,
    ("openai", "embeddings"): openai_chat,
    ("openai", "images"): openai_images,
    ("openai", "batch"): openai_batch,
    ("anthropic", "messages"): anthropic_messages,
    ("anthropic", "beta.messages"): anthropic_messages,
    ("anthropic", "messages.batches"): anthropic_messages,
}
"""(provider, API) to its reader; the provider is the one whose client made the call."""


def fields(value: object) -> Fields:
    """What ``value`` holds by name: a mapping, or an object's fields and pydantic's extra ones.

    Anything else holds nothing.
    """
    if type(value) is dict:
        return cast(dict[str, Any], value)
    if value is None:
        return _NOTHING
    if isinstance(value, Mapping):
        return cast(Fields, value)
    own: Fields = getattr(value, "__dict__", _NOTHING)
    extra = getattr(value, "__pydantic_extra__", None)
    return {**extra, **own} if extra else own


def _openai(response: Fields, usage: Fields, names: _Names) -> Usage:
    """The usage object that chat, responses and embeddings share but for its names."""
    faults: list[str] = []
    inp = _count(usage, names.input, faults)
    out = _count(usage, names.output, faults)
    total = _count(usage, "total_tokens", faults)
    read = write = write_12h = in_audio = in_image = out_audio = 0
    reasoning = None
    if details := usage.get(names.input_details):
        details = fields(details)
        read = _count(details, "cached_tokens", faults) or 0
        write = _count(details, "cache_write_tokens", faults) or 0
        if write and (split := details.get("cache_write_tokens_details")):
            write_12h = _count(fields(split), "ttl_12h_tokens", faults) or 0
        in_audio = _count(details, "audio_tokens", faults) or 0
        in_image = _count(details, "image_tokens", faults) or 0
    if details := usage.get(names.output_details):
        details = fields(details)
        reasoning = _count(details, "reasoning_tokens", faults)
        out_audio = _count(details, "audio_tokens", faults) or 0
    tier = _name(response, "service_tier", faults)
    if total is not None and inp is not None:
        inp, out = _summed(inp, out, total, read + write, reasoning or 0, faults)
    read_usage = Usage(
        inp,
        out,
        read,
        write,
        0,
        write_12h,
        reasoning,
        in_audio,
        in_image,
        0,
        0,
        out_audio,
        tier="" if tier in STANDARD_TIERS else tier,
        problem=joined(*faults),
    )
    if read or write or in_audio or in_image or out_audio:
        return fitted(read_usage)
    return read_usage


def _summed(
    inp: int, out: int | None, total: int, cached: int, reasoning: int, faults: list[str]
) -> tuple[int, int | None]:
    """Input and output, as ``total`` bears them out.

    Some compatible hosts count cached or reasoning tokens on top of the whole; only the total can
    tell. A total that nothing explains is a fault.
    """
    excess = total - inp - (out or 0)
    if excess == 0:
        return inp, out
    if excess > 0 and out is not None:
        if excess == reasoning:
            return inp, out + reasoning
        if excess == cached:
            return inp + cached, out
        if excess == cached + reasoning:
            return inp + cached, out + reasoning
    faults.append("total_tokens is not the sum")
    return inp, out


def _images(usage: Fields) -> Usage | None:
    """The usage of an image model, from the images API or from a hosted tool."""
    if not usage:
        return None
    faults: list[str] = []
    inp = _count(usage, "input_tokens", faults)
    out = _count(usage, "output_tokens", faults)
    total = _count(usage, "total_tokens", faults)
    if total is not None and inp is not None:
        inp, out = _summed(inp, out, total, 0, 0, faults)
    details = fields(usage.get("input_tokens_details"))
    cached = fields(usage.get("cached_tokens_details"))
    output = fields(usage.get("output_tokens_details"))
    out_image = _count(output, "image_tokens", faults)
    return fitted(
        Usage(
            inp,
            out,
            cache_read_tokens=_count(usage, "cached_tokens", faults) or 0,
            input_image_tokens=_count(details, "image_tokens", faults) or 0,
            cache_read_image_tokens=_count(cached, "cached_image_tokens", faults) or 0,
            output_image_tokens=(out or 0) if out_image is None else out_image,
            problem=joined(*faults),
        )
    )


def _svg(owner: Fields) -> Iterator[tuple[str, Usage]]:
    """The tokens of the model that wrote an SVG, which it names itself."""
    usage = fields(owner.get("svg_usage"))
    if usage:
        faults: list[str] = []
        inp = _count(usage, "input_tokens", faults)
        out = _count(usage, "output_tokens", faults)
        reasoning = _count(usage, "reasoning_tokens", faults)
        model = _name(usage, "model", faults) or UNNAMED_IMAGE_MODEL
        yield model, Usage(inp, out, reasoning_tokens=reasoning, problem=joined(*faults))


def _anthropic(usage: Fields, setting: _Setting, faults: list[str]) -> Usage:
    """The counts that a message and each of its iterations share."""
    fresh = _count(usage, "input_tokens", faults)
    out = _count(usage, "output_tokens", faults)
    read = _count(usage, "cache_read_input_tokens", faults) or 0
    write = _count(usage, "cache_creation_input_tokens", faults)
    write_1h = 0
    if split := usage.get("cache_creation"):
        split = fields(split)
        write_1h = _count(split, "ephemeral_1h_input_tokens", faults) or 0
        parts = write_1h + (_count(split, "ephemeral_5m_input_tokens", faults) or 0)
        if write is None:
            write = parts
        elif write != parts:
            faults.append("cache_creation is not the sum of its parts")
    write = write or 0
    reasoning = None
    if details := usage.get("output_tokens_details"):
        reasoning = _count(fields(details), "thinking_tokens", faults)
    searches = 0
    if tools := usage.get("server_tool_use"):
        searches = _count(fields(tools), "web_search_requests", faults) or 0
    inp = None if fresh is None else fresh + read + write
    no_audio_no_image = (0, 0, 0, 0, 0, 0)
    return Usage(
        inp, out, read, write, write_1h, 0, reasoning, *no_audio_no_image, searches, 0, *setting
    )


def _iterations(usage: Usage, setting: _Setting, iterations: object, faults: list[str]) -> Usage:
    """``usage`` with the iterations that its counts exclude beside it.

    A compaction ran as the request itself did; an advisor ran in its setting but for its speed.
    """
    also: list[tuple[str, Usage]] = []
    served: set[str] = set()
    for item in _items(iterations):
        kind = item.get("type")
        own: list[str] = []
        if kind in ("compaction", "advisor_message"):
            model = _name(item, "model", own) if kind == "advisor_message" else ""
            part = _anthropic(item, setting._replace(speed="") if model else setting, own)
            also.append((model, fitted(part._replace(problem=joined(*own)))))
        elif kind in ("message", "fallback_message"):
            served.add(_name(item, "model", own))
    # Which of a fallback's models the top-level counts are of is not documented.
    if len(served - {""}) > 1:
        faults.append("served by more than one model")
    return usage._replace(also=tuple(also)) if also else usage


def _items(value: object) -> Iterator[Fields]:
    if isinstance(value, list | tuple):
        for item in cast(list[object], value):
            yield fields(item)


def _count(owner: Fields, name: str, faults: list[str]) -> int | None:
    value = owner.get(name)
    if value is None:
        return None
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    count = _coerced(value)
    if count is None:
        faults.append(f"invalid {name}")
    return count


def _coerced(value: object) -> int | None:
    """A count in another type: a whole float or a string of digits."""
    if isinstance(value, str):
        text = value.strip()
        count = int(text) if text.isascii() and text.isdigit() and len(text) <= 13 else None
    elif isinstance(value, float):
        count = int(value) if value.is_integer() else None
    elif isinstance(value, int) and not isinstance(value, bool):
        count = int(value)
    else:
        count = None
    return count if count is not None and 0 <= count <= MAX_COUNT else None


def _name(owner: Fields, name: str, faults: list[str]) -> str:
    value = owner.get(name)
    if value is None:
        return ""
    if isinstance(value, str) and len(value) <= MAX_NAME:
        return value
    faults.append(f"invalid {name}")
    return ""
