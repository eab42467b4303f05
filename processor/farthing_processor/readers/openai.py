"""Readers of OpenAI's chat, completions, responses, embeddings and batches."""

from __future__ import annotations

from farthing_processor.readers.openai_media import (
    UNNAMED_IMAGE_MODEL,
    image_tokens,
    openai_images,
    openai_moderations,
    svg_tokens,
)
from farthing_processor.readers.openai_tokens import INPUT, PROMPT, token_usage
from farthing_processor.readers.values import count_in, fields, items, name_in
from farthing_processor.usage import Usage, joined


def openai_chat(body: object) -> Usage | None:
    """Chat completions, legacy completions and embeddings; a streamed chunk that carries usage.

    Input includes cache reads and writes, output includes reasoning and rejected predictions.
    """
    response = fields(body)
    usage = fields(response.get("usage"))
    return token_usage(response, usage, PROMPT) if usage else None


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
    return read._replace(
        web_searches=seen_searches if searches is None else searches,
        file_searches=files,
        also=tuple(also),
        problem=joined(read.problem, *faults),
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
