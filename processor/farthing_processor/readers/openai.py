"""Readers of OpenAI's chat, completions, responses, embeddings, realtime and batches."""

from __future__ import annotations

from farthing_processor.readers.openai_media import (
    UNNAMED_IMAGE_MODEL,
    image_tokens,
    openai_images,
    openai_moderations,
    svg_tokens,
)
from farthing_processor.readers.openai_tokens import INPUT, PROMPT, REALTIME, token_usage
from farthing_processor.readers.values import Fields, count_in, fields, items, name_in
from farthing_processor.usage import Usage, fitted, joined


def openai_chat(body: object) -> Usage | None:
    """Chat completions, legacy completions and embeddings; a streamed chunk that carries usage.

    Input includes cache reads and writes, output includes reasoning and rejected predictions. The
    last chunk of a stream from Groq has it in ``x_groq`` (`ChatCompletionChunk` of groq 1.7); what
    other compatible hosts add is in `compatible`.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    if not usage:
        usage = fields(fields(response.get("x_groq")).get("usage"))
    return token_usage(response, usage, PROMPT) if usage else None


def openai_responses(body: object) -> Usage | None:
    """Responses, and the fees of its hosted tools.

    Billable searches are ``tool_usage.web_search.num_requests``; where that is absent, the calls
    whose action is a search (opening a page and finding in it are free). They are by the preview of
    that tool where it alone is among the response's ``tools``. Image generation has its own tokens
    beside ``usage``, billed by the image model named in ``tools``, else by `UNNAMED_IMAGE_MODEL`.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    if not usage:
        return None
    faults: list[str] = []
    tools = fields(response.get("tool_usage"))
    searches = count_in(fields(tools.get("web_search")), "num_requests", faults)
    seen_searches = files = 0
    also: list[tuple[str, Usage]] = []
    for item in items(response.get("output")):
        kind = item.get("type")
        if kind == "web_search_call":
            seen_searches += fields(item.get("action")).get("type") == "search"
        elif kind == "file_search_call":
            files += 1
        elif kind == "image_generation_call":
            also += svg_tokens(item)
    images = image_tokens(fields(tools.get("image_gen")))
    if images and (images.input_tokens or images.output_tokens):
        models = {
            name
            for tool in items(response.get("tools"))
            if tool.get("type") == "image_generation" and (name := name_in(tool, "model", faults))
        }
        also.append((models.pop() if len(models) == 1 else UNNAMED_IMAGE_MODEL, images))
    read = token_usage(response, usage, INPUT)
    if not (searches or seen_searches or files or also or faults):
        return read
    if searches is None:
        searches = seen_searches
    preview = searches if searches and _by_preview(response, faults) else 0
    return read._replace(
        web_searches=searches - preview,
        preview_searches=preview,
        file_searches=files,
        also=(*also, *read.also),
        problem=joined(read.problem, *faults),
    )


def _by_preview(response: Fields, faults: list[str]) -> bool:
    """Whether searches were by ``web_search_preview``, in any of its dated versions."""
    kinds = {name_in(tool, "type", faults) for tool in items(response.get("tools"))}
    searching = {kind for kind in kinds if kind.startswith("web_search")}
    preview = {kind for kind in searching if kind.startswith("web_search_preview")}
    if preview and preview != searching:
        faults.append("searches by two tools")
    return bool(preview) and preview == searching


def openai_realtime(body: object) -> Usage | None:
    """One turn of a realtime session: its ``response.done`` event, or the response in that.

    Each event is billed by itself ("this will correspond to billing", `RealtimeResponseUsage` of
    the client), so that a session is the sum of its events. Cached tokens are split by modality
    too. What transcribes the user's audio is another model, with an event and usage of its own
    (``conversation.item.input_audio_transcription.completed``, for `openai_transcription`).
    """
    event = fields(body)
    response = fields(event.get("response")) or event
    usage = fields(response.get("usage"))
    if not usage:
        return None
    faults: list[str] = []
    cached = fields(fields(usage.get(REALTIME.input_details)).get("cached_tokens_details"))
    read = token_usage(response, usage, REALTIME)
    return fitted(
        read._replace(
            cache_read_audio_tokens=count_in(cached, "audio_tokens", faults) or 0,
            cache_read_image_tokens=count_in(cached, "image_tokens", faults) or 0,
            problem=joined(read.problem, *faults),
        )
    )


def openai_batch(body: object) -> Usage | None:
    """The body of one result of a batch, whichever API it was for: nothing in it says batch.

    Not for the totals of a Batch object: a long-context threshold is of one request.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    if INPUT.input not in usage:
        read = openai_chat(body) or openai_moderations(body)
    elif "data" in response:
        read = openai_images(body)
    else:
        read = openai_responses(body)
    return read and read._replace(batch=True)
