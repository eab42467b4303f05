"""Readers of Google's Gemini: generateContent, live sessions, interactions and embeddings.

Shapes: the types of google-genai 3.4 (snake case) and the JSON behind them (camel case), from
either the Gemini API or Vertex AI.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, cast

from farthing_processor.readers.values import (
    Fields,
    count_in,
    fields,
    items,
    name_in,
    unpriced,
)
from farthing_processor.usage import STANDARD_TIERS, Usage, fitted, joined


class _Names(NamedTuple):
    """What an API calls the members of its usage object."""

    prompt: str
    cached: str
    tool: str
    output: str
    thoughts: str
    total: str
    prompt_by: str
    cached_by: str
    tool_by: str
    output_by: str
    tokens: str
    """The count of one modality."""
    tier: str
    traffic: str


_CAMEL: Final = _Names(
    "promptTokenCount",
    "cachedContentTokenCount",
    "toolUsePromptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
    "promptTokensDetails",
    "cacheTokensDetails",
    "toolUsePromptTokensDetails",
    "candidatesTokensDetails",
    "tokenCount",
    "serviceTier",
    "trafficType",
)
_SNAKE: Final = _Names(*(re.sub("([A-Z])", r"_\1", name).lower() for name in _CAMEL))
_INTERACTION: Final = _Names(
    "total_input_tokens",
    "total_cached_tokens",
    "total_tool_use_tokens",
    "total_output_tokens",
    "total_thought_tokens",
    "total_tokens",
    "input_tokens_by_modality",
    "cached_tokens_by_modality",
    "tool_use_tokens_by_modality",
    "output_tokens_by_modality",
    "tokens",
    "",
    "",
)

_IMAGE: Final = frozenset({"image", "document"})
"""A document is pages, and each is an image (https://ai.google.dev/gemini-api/docs/pricing lists
PDF with image); MODALITY_UNSPECIFIED "is treated as TEXT" (`MediaModality`)."""

_TRAFFIC: Final = re.compile(r"on_demand_?|traffic_type_unspecified")
"""What of a ``trafficType`` is not a tier: ``ON_DEMAND_FLEX`` is ``flex``, ``ON_DEMAND`` none."""

_PER_PROMPT: Final = re.compile(r"(?:.*/)?gemini-[12]\b")
"""Models that pay for search by the prompt and not by the query."""

_FEES: Final = {
    "maps": "grounding with Google Maps",
    "image": "grounding with image search",
    "retrieval": "grounding with own data",
}


def gemini_generate_content(body: object) -> Usage | None:
    """generateContent, or the last chunk of its stream, whose counts are those of the whole.

    The prompt includes what was cached; the prompt of tool use and thoughts are each outside of the
    count beside them, as the total, which is documented to be the sum of the four, bears out. Where
    it is the sum without one of them, that one is inside.

    Grounding with Google Search is billed by the query from Gemini 3 on, empty and repeated ones
    excepted, and once a prompt before
    (https://ai.google.dev/gemini-api/docs/google-search#pricing). Which a model is, its
    ``modelVersion`` says; without one it is taken for a new one.
    """
    response = fields(body)
    usage = _usage_of(response)
    if not usage:
        return None
    snake = _SNAKE.prompt in usage
    names = _SNAKE if snake else _CAMEL
    faults: list[str] = []
    model = response.get("model_version" if snake else "modelVersion")
    searches, fees = _grounding(response, model)
    return _read(usage, names, _tier(usage, names, faults), searches, fees, faults)


def gemini_live(body: object) -> Usage | None:
    """One message of a live session that carries usage; it is of one turn.

    Output is there called the response.
    """
    usage = _usage_of(fields(body))
    if not usage:
        return None
    names = _SNAKE if _SNAKE.prompt in usage else _CAMEL
    names = names._replace(
        output=names.output.replace("candidates", "response"),
        output_by=names.output_by.replace("candidates", "response"),
    )
    faults: list[str] = []
    return _read(usage, names, _tier(usage, names, faults), 0, (), faults)


def gemini_interactions(body: object) -> Usage | None:
    """An interaction, or the event that completes one (``interaction.completed``)."""
    event = fields(body)
    response = fields(event.get("interaction")) or event
    usage = fields(response.get("usage"))
    if _INTERACTION.prompt not in usage and _INTERACTION.total not in usage:
        return None
    faults: list[str] = []
    tier = name_in(response, "service_tier", faults)
    searches = 0
    fees: list[str] = []
    for row in items(usage.get("grounding_tool_count")):
        kind = name_in(row, "type", faults)
        count = count_in(row, "count", faults) or 0
        if kind == "google_search":
            searches += count
        elif count:
            fees.append(_FEES.get(kind.removeprefix("google_"), kind))
    if searches and _is_per_prompt(response.get("model")):
        searches = 1
    tier = "" if tier in STANDARD_TIERS or tier == "unspecified" else tier
    return _read(usage, _INTERACTION, tier, searches, tuple(fees), faults)


def gemini_embeddings(body: object) -> Usage | None:
    """embedContent and batchEmbedContents; on Vertex the statistics of each embedding, summed."""
    response = fields(body)
    usage = _usage_of(response)
    if usage:
        snake = _SNAKE.prompt in usage
        names = _SNAKE if snake else _CAMEL
        by = "prompt_token_details" if snake else "promptTokenDetails"
        if by in usage:
            names = names._replace(prompt_by=by)
        faults: list[str] = []
        return _read(usage, names, _tier(usage, names, faults), 0, (), faults)
    faults = []
    counts = [
        count_in(fields(row.get("statistics")), name, faults)
        for row in (
            *items(response.get("embeddings")),
            *(fields(row.get("embeddings")) for row in items(response.get("predictions"))),
        )
        for name in ("token_count", "tokenCount")
    ]
    known = [count for count in counts if count is not None]
    if not known and not faults:
        return None
    return Usage(sum(known) if known else None, problem=joined(*faults))


def _usage_of(response: Fields) -> Fields:
    for name in ("usageMetadata", "usage_metadata", "usage"):
        if usage := fields(response.get(name)):
            return usage
    return {}


def _read(
    usage: Fields,
    names: _Names,
    tier: str,
    searches: int,
    fees: tuple[str, ...],
    faults: list[str],
) -> Usage | None:
    prompt = count_in(usage, names.prompt, faults)
    tool = count_in(usage, names.tool, faults) or 0
    out = count_in(usage, names.output, faults)
    thoughts = count_in(usage, names.thoughts, faults)
    total = count_in(usage, names.total, faults)
    if prompt is None and out is None and total is None and not faults:
        return None
    inp = None if prompt is None else prompt + tool
    if thoughts:
        out = (out or 0) + thoughts
    if total is not None and inp is not None:
        inside = inp + (out or 0) - total
        out = out or 0  # JSON leaves out what is 0
        if inside:
            # A part can only be inside of what is no smaller.
            tools = tool if tool <= inp - tool else 0
            thinking = thoughts if thoughts and thoughts <= out - thoughts else 0
            if inside == thinking:
                out -= thinking
            elif inside == tools:
                inp -= tools
            elif inside == tools + thinking:
                inp, out = inp - tools, out - thinking
            else:
                faults.append(f"{names.total} is not the sum")
    in_audio, in_image, in_video = _modal(usage, names.prompt_by, names.tokens, faults)
    tool_audio, tool_image, tool_video = _modal(usage, names.tool_by, names.tokens, faults)
    read_audio, read_image, _ = _modal(usage, names.cached_by, names.tokens, faults)
    out_audio, out_image, out_video = _modal(usage, names.output_by, names.tokens, faults)
    return fitted(
        Usage(
            inp,
            out,
            count_in(usage, names.cached, faults) or 0,
            reasoning_tokens=thoughts,
            input_audio_tokens=in_audio + tool_audio,
            input_image_tokens=in_image + tool_image,
            cache_read_audio_tokens=read_audio,
            cache_read_image_tokens=read_image,
            output_audio_tokens=out_audio,
            output_image_tokens=out_image,
            web_searches=searches,
            input_video_tokens=in_video + tool_video,
            output_video_tokens=out_video,
            tier=tier,
            also=tuple(map(unpriced, fees)) if fees else (),
            problem=joined(*faults),
        )
    )


def _modal(usage: Fields, by: str, tokens: str, faults: list[str]) -> tuple[int, int, int]:
    """How much of a count is audio, how much image, and how much video."""
    rows = usage.get(by)
    if not rows:
        return 0, 0, 0
    audio = image = video = 0
    for row in items(rows):
        kind = name_in(row, "modality", faults).lower()
        if kind == "audio":
            audio += count_in(row, tokens, faults) or 0
        elif kind in _IMAGE:
            image += count_in(row, tokens, faults) or 0
        elif kind == "video":
            video += count_in(row, tokens, faults) or 0
    return audio, image, video


def _tier(usage: Fields, names: _Names, faults: list[str]) -> str:
    """The Gemini API names the service tier, Vertex AI the traffic."""
    tier = name_in(usage, names.tier, faults).lower()
    if tier and tier not in STANDARD_TIERS and tier != "unspecified":
        return tier
    traffic = name_in(usage, names.traffic, faults)
    return _TRAFFIC.sub("", traffic.lower()) if traffic else ""


def _grounding(response: Fields, model: object) -> tuple[int, tuple[str, ...]]:
    """Searches that are billed, and what else of grounding is."""
    grounded = [
        fields(said)
        for candidate in items(response.get("candidates"))
        if (said := candidate.get("groundingMetadata") or candidate.get("grounding_metadata"))
    ]
    if not grounded:
        return 0, ()
    queries: set[str] = set()
    kinds: set[str] = set()
    for said in grounded:
        queries |= _texts(said, "webSearchQueries", "web_search_queries")
        if _texts(said, "imageSearchQueries", "image_search_queries"):
            kinds.add("image")
        if _texts(said, "retrievalQueries", "retrieval_queries"):
            kinds.add("retrieval")
        chunks = said.get("groundingChunks") or said.get("grounding_chunks")
        if any(chunk.get("maps") for chunk in items(chunks)):
            kinds.add("maps")
    searches = len(queries)
    if searches and _is_per_prompt(model):
        searches = 1
    return searches, tuple(what for kind, what in _FEES.items() if kind in kinds)


def _is_per_prompt(model: object) -> bool:
    return isinstance(model, str) and bool(_PER_PROMPT.match(model[:256]))


def _texts(owner: Fields, *names: str) -> set[str]:
    """The texts of a list that has one of ``names``, without empty ones."""
    found: set[str] = set()
    for name in names:
        texts = owner.get(name)
        if isinstance(texts, list | tuple):
            found.update(text for text in cast(list[object], texts) if isinstance(text, str))
    return found - {""}
