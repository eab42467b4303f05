"""Batch results: what the providers' batch APIs return, read line by line as responses."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from farthing.endpoint import Endpoint
from farthing.providers import anthropic, openai
from farthing.reading import said
from farthing_processor import readers
from farthing_processor.readers import Fields, fields
from farthing_processor.usage import Usage

TAKES: Final = (
    "record_batch() takes the results of a batch: what client.files.content(batch.output_file_id) "
    "or client.messages.batches.results(batch.id) returns, its text or bytes, an open file of it, "
    "or a list of its lines or results"
)


class Result(NamedTuple):
    """One line of a batch's results. Immutable."""

    provider: str
    """Whose shape it has."""
    endpoint: Endpoint | None = None
    """What reads its body; None where there is none: the request failed or never ran."""
    body: Fields = MappingProxyType({})
    """The response, as the API itself would have given it."""
    id: str | None = None
    """The provider's own id of the request, for a response that has none."""

    def usage(self) -> Usage | None:
        """What it used, all of it at batch rates, whether or not the provider says batch."""
        return _at_batch_rates(self.endpoint.usage(self.body)) if self.endpoint else None

    def made_ns(self) -> int:
        """When the response was made, where it says, in nanoseconds since the epoch; else now."""
        now_ns = time.time_ns()
        made = self.body.get("created", self.body.get("created_at"))
        if type(made) in (int, float) and 0 < made <= now_ns // 10**9:
            return int(made) * 10**9
        return now_ns


def lines(results: object) -> Iterable[object]:
    """The lines of what a batch returned, or its decoded results.

    Raises TypeError, with one sentence that says what to give, for anything else.
    """
    # What clients return of a file is a response, with its content.
    content: object = getattr(results, "content", None)
    if isinstance(results, str | bytes):
        content = results
    # Not splitlines(): only a line feed ends a line of JSON, and a string may hold other ends.
    if isinstance(content, str):
        return io.StringIO(content, newline="\n")
    if isinstance(content, bytes):
        return io.BytesIO(content)
    if hasattr(results, "__aiter__"):
        raise TypeError(
            "record_batch() does not await: give it [result async for result in results]."
        )
    kind = type(results).__qualname__
    # One result, or the batch itself, iterates over the names of its fields.
    one_thing = isinstance(results, Mapping) or hasattr(results, "__pydantic_fields__")
    if one_thing or not isinstance(results, Iterable):
        raise TypeError(f"{TAKES}; not a {kind}.")
    return cast(Iterable[object], results)


def host(results: object) -> str | None:
    """Where the results were downloaded from, if they say."""
    try:
        owner: Any = results
        response = getattr(owner, "response", None) or owner.http_response
        # A redirect leads to a store of files, which says nothing of who served.
        name = (response.history or [response])[0].request.url.host
    except Exception:
        return None
    return name if isinstance(name, str) else None


def read(line: object) -> Result | None:
    """What a line says; None if it is no result of a batch that we know.

    https://platform.openai.com/docs/api-reference/batch/request-output and
    https://platform.claude.com/docs/en/api/messages/batches/results.
    """
    found = fields(json.loads(line) if isinstance(line, str | bytes) else line)
    if "custom_id" not in found:
        return None
    if "result" in found:
        return _anthropic(fields(found["result"]))
    return _openai(found) if "response" in found or "error" in found else None


def _anthropic(result: Fields) -> Result | None:
    if (kind := result.get("type")) == "succeeded":
        message = fields(result.get("message"))
        return Result("anthropic", _MESSAGES, message) if message else None
    return Result("anthropic") if kind in ("errored", "canceled", "expired") else None


def _openai(line: Fields) -> Result | None:
    response = fields(line.get("response"))
    if line.get("error") is not None or response.get("status_code") not in (None, 200):
        return Result("openai")
    body = fields(response.get("body"))
    if (kind := body.get("object")) is not None:
        endpoint = _OBJECTS.get(kind)
    else:
        endpoint = next((known for member, known in _MEMBERS.items() if member in body), None)
    id = said(line, "id") or said(response, "request_id")
    return Result("openai", endpoint, body, id) if endpoint else None


def _batched(path: str) -> Endpoint:
    return replace(openai.ENDPOINTS[path], usage=readers.openai_batch)


_MESSAGES: Final = anthropic.LIBRARY.endpoints["/v1/messages"]
_OBJECTS: Final[Mapping[object, Endpoint]] = {
    "chat.completion": _batched("/chat/completions"),
    "response": _batched("/responses"),
    "text_completion": _batched("/completions"),
    "list": _batched("/embeddings"),
    # Billed by the second of video, of which the price pack knows nothing.
    "video": replace(_batched("/moderations"), operation="video_generation"),
}
"""What OpenAI's APIs that can be batched call their responses, in ``object``."""
_MEMBERS: Final[Mapping[str, Endpoint]] = {
    "results": _batched("/moderations"),
    "data": _batched("/images/generations"),
}
"""A member that tells the responses of those APIs that do not say."""


def _at_batch_rates(usage: Usage | None) -> Usage | None:
    if usage is None:
        return None
    also = tuple((model, _at_batch_rates(part) or part) for model, part in usage.also)
    return usage._replace(batch=True, also=also)
