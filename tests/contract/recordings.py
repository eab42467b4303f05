"""Recorded provider interactions: loaded from vcr cassettes, and asked for again of real clients.

The recordings are of the official OpenTelemetry instrumentations' test suites and are not kept
here: FARTHING_RECORDINGS names their folder.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import yaml
from opentelemetry.sdk.trace import ReadableSpan

from tests.instrumentation.conftest import Provider
from tests.instrumentation.shapes import Bytes

APIS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "chat": ("openai", "/chat/completions", lambda client: client.chat.completions),
    "responses": ("openai", "/responses", lambda client: client.responses),
    "embeddings": ("openai", "/embeddings", lambda client: client.embeddings),
    "beta messages": ("anthropic", "/v1/messages?beta=true", lambda client: client.beta.messages),
    "messages": ("anthropic", "/v1/messages", lambda client: client.messages),
}
"""API → (client library, the end of its address, where its ``create`` is)."""

HOSTS = {"openai": ("openai.com", "openai.azure.com"), "anthropic": ("anthropic.com",)}


class Interaction(NamedTuple):
    """One request to a model and what the provider answered. Immutable."""

    source: str
    api: str
    """A key of `APIS`."""
    base_url: str
    request: dict[str, Any]
    """The body that was sent, decoded."""
    raw: bool
    """Whether the application had asked for the raw response."""
    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes

    @property
    def stream(self) -> bool:
        return self.request.get("stream") is True

    def response(self) -> httpx2.Response:
        """The recorded answer, its body still to be read."""
        return httpx2.Response(self.status, headers=self.headers, stream=Bytes([self.content]))

    def bodies(self) -> list[Any]:
        """The JSON that was answered: one body, or the data of each event."""
        text = self.response().read().decode()
        if text.lstrip().startswith("{"):
            return [json.loads(text)]
        data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        return [json.loads(line) for line in data if line != "[DONE]"]


class Recordings(NamedTuple):
    """All that a folder holds. Immutable."""

    calls: list[Interaction]
    """Those that can be replayed: every call of a model through one of `APIS`."""
    others: list[tuple[str, str]]
    """(source, why not) of the rest."""


def folder() -> Path | None:
    """The folder of the recordings, if there is one."""
    named = os.environ.get("FARTHING_RECORDINGS", "")
    return Path(named) if named and Path(named).is_dir() else None


def load(root: Path) -> Recordings:
    """Every interaction of every cassette under ``root``, sorted out."""
    calls: list[Interaction] = []
    others: list[tuple[str, str]] = []
    for source, recorded in interactions(root):
        read = _interaction(source, recorded)
        if isinstance(read, str):
            others.append((source, read))
        else:
            calls.append(read)
    return Recordings(calls, others)


def interactions(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(source, interaction as the cassette has it) of all cassettes under ``root``."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(root.rglob("*.yaml")):
        cassette = yaml.load(path.read_text(encoding="utf-8"), loader)
        for index, recorded in enumerate(cassette["interactions"]):
            yield f"{path.relative_to(root)}#{index}", recorded


def _interaction(source: str, recorded: dict[str, Any]) -> Interaction | str:
    """An interaction as a call of a model, or why it is none that a client here makes."""
    request, answer = recorded["request"], recorded["response"]
    method, address = request["method"], urlsplit(request["uri"])
    host, path = address.hostname or "", address.path
    asked = f"{path}?{address.query}" if address.query else path
    library = next((name for name, hosts in HOSTS.items() if host.endswith(hosts)), None)
    if library is None:
        return f"another provider's API: {host}"
    matches = [
        (api, end)
        for api, (of, end, _) in APIS.items()
        if of == library and method == "POST" and asked.endswith(end)
    ]
    if not matches:
        return f"not a model call: {method} {asked}"
    ((api, end),) = matches
    content = answer["body"]["string"]
    headers = [(name, value) for name, values in answer["headers"].items() for value in values]
    if isinstance(content, str):
        # vcr decoded it: what its headers say of encoding and length is of the bytes on the wire.
        left_out = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(name, value) for name, value in headers if name.lower() not in left_out]
        content = content.encode()
    return Interaction(
        source,
        api,
        f"{address.scheme}://{address.netloc}{asked.removesuffix(end)}",
        json.loads(request["body"]),
        any(name.lower() == "x-stainless-raw-response" for name in request["headers"]),
        answer["status"]["code"],
        tuple(headers),
        content,
    )


# What the recorded JSON says of usage, by arithmetic and without the product's readers.

DETAILS = {
    "cached_tokens": "cache_read.input_tokens",
    "cache_write_tokens": "cache_write.input_tokens",
    "reasoning_tokens": "reasoning.output_tokens",
    "thinking_tokens": "reasoning.output_tokens",
    "cache_read_input_tokens": "cache_read.input_tokens",
    "cache_creation_input_tokens": "cache_write.input_tokens",
}
"""A count in a provider's usage or its details → the span attribute that has it, if not zero."""


def usage_in(api: str, bodies: list[Any]) -> dict[str, int]:
    """Usage attribute, without its prefix → tokens; empty where the provider said nothing.

    ``bodies`` are sound: one response, or the events of a whole stream.
    """
    recorded: dict[str, Any] = {}
    for body in bodies:
        body = body.get("response") or body.get("message") or body
        recorded.update(body.get("usage") or {})
    if not recorded:
        return {}
    counts: Counter[str] = Counter()
    if api.endswith("messages"):
        counts["input_tokens"] = sum(
            recorded[f"{kind}input_tokens"] for kind in ("", "cache_read_", "cache_creation_")
        )
        counts["output_tokens"] = recorded["output_tokens"]
    else:
        counts["input_tokens"] = recorded.get("prompt_tokens", recorded.get("input_tokens"))
        if api != "embeddings":
            counts["output_tokens"] = recorded.get(
                "completion_tokens", recorded.get("output_tokens")
            )
        assert counts.total() == recorded["total_tokens"], recorded
    for details in (recorded, *(value for value in recorded.values() if isinstance(value, dict))):
        for name, attribute in DETAILS.items():
            counts[attribute] += details.get(name) or 0
    totals = ("input_tokens", "output_tokens")
    return {name: count for name, count in counts.items() if count or name in totals}


def usage_of(span: ReadableSpan) -> dict[str, Any]:
    """The same of what ``span`` says."""
    prefix = "gen_ai.usage."
    return {
        name.removeprefix(prefix): value
        for name, value in (span.attributes or {}).items()
        if name.startswith(prefix) and name.endswith("_tokens")
    }


# Asking for one again.


def answered(
    api: str,
    body: dict[str, Any],
    response: Callable[[], httpx2.Response],
    *,
    how: str = "plain",
    asynchronous: bool = False,
    base_url: str | None = None,
    stop_after: int | None = None,
) -> tuple[list[str], list[httpx2.Request]]:
    """What the application sees of one call, and the requests that its client sent.

    ``how`` is one of "plain", "raw", "streaming" (response), "bytes" (of such a response) and
    "helper" (the client's ``stream``); after ``stop_after`` events of a stream the application
    closes it. What is seen is the type and the repr of every event or of the answer, and last the
    exception, if there was one.
    """
    provider = Provider()
    provider.answers(lambda _request: response())
    library, _, resource = APIS[api]
    make = getattr(provider, f"async_{library}" if asynchronous else library)
    client = make(**({"base_url": base_url} if base_url else {}))
    seen: list[str] = []
    call = _ask(resource(client), body, how, stop_after, seen)
    if asynchronous:
        asyncio.run(call)
    else:
        _run(call)
    return seen, provider.requests


def _run(call: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that has nothing to wait for, outside any event loop."""
    try:
        call.send(None)
    except StopIteration:
        return
    raise AssertionError("a sync client waited")


async def _ask(
    resource: Any, body: dict[str, Any], how: str, stop_after: int | None, seen: list[str]
) -> None:
    known = inspect.signature(resource.create).parameters
    arguments = {name: value for name, value in body.items() if name in known}
    if further := {name: value for name, value in body.items() if name not in known}:
        arguments["extra_body"] = further
    try:
        if how == "helper":
            arguments.pop("stream", None)
            manager = resource.stream(**arguments)
            stream = await _value(_enter(manager))
            try:
                await _see(stream, stop_after, seen)
            finally:
                await _value(_exit(manager))
        elif how in ("streaming", "bytes"):
            manager = resource.with_streaming_response.create(**arguments)
            raw = await _value(_enter(manager))
            try:
                if how == "bytes":
                    seen.append(repr(await _value(raw.read())))
                else:
                    await _see(await _value(raw.parse()), stop_after, seen)
            finally:
                await _value(_exit(manager))
        elif how == "raw":
            raw = await _value(resource.with_raw_response.create(**arguments))
            await _see(await _value(raw.parse()), stop_after, seen)
        else:
            await _see(await _value(resource.create(**arguments)), stop_after, seen)
    except Exception as error:
        body_of_error = getattr(error, "body", None)
        seen.append(f"raised {type(error).__qualname__}: {error} {body_of_error!r}")


def _enter(manager: Any) -> Any:
    return manager.__aenter__() if hasattr(manager, "__aenter__") else manager.__enter__()


def _exit(manager: Any) -> Any:
    leave = manager.__aexit__ if hasattr(manager, "__aexit__") else manager.__exit__
    return leave(None, None, None)


async def _value(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def _see(result: Any, stop_after: int | None, seen: list[str]) -> None:
    """Note all that ``result`` is: an answer, or the events of a stream, until enough is seen."""
    if not (hasattr(result, "__next__") or hasattr(result, "__anext__")):
        seen.append(f"{type(result).__name__} {result!r}")
        return
    if stop_after == 0:
        await _value(result.close())
        return
    if hasattr(result, "__anext__"):
        async for event in result:
            seen.append(f"{type(event).__name__} {event!r}")
            if len(seen) == stop_after:
                break
    else:
        for event in result:
            seen.append(f"{type(event).__name__} {event!r}")
            if len(seen) == stop_after:
                break
    if len(seen) == stop_after:
        await _value(result.close())
