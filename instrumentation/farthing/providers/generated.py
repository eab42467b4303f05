"""Clients generated from an OpenAPI description: one base ``request`` method leads to every call.

The ``openai`` and ``anthropic`` packages (and groq, together and others) share a base client. Its
``request`` is where every resource, helper, parse, raw and streaming call comes by, so it is the
one method to wrap; the events of a stream are read by the one iterator inside the stream object.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple, cast

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from farthing import streams
from farthing.call import Call, Endpoint, Request, calling, guarded
from farthing.patching import Patch
from farthing.reading import said
from farthing.telemetry import Telemetry, current, log
from farthing_processor import semconv as names
from farthing_processor.pricing.hosts import provider_of
from farthing_processor.readers import fields


class Library(NamedTuple):
    """What there is to know of one generated client library."""

    package: str
    provider: str
    """Whose API it speaks: the provider of the gateways that the user named."""
    endpoints: Mapping[str, Endpoint]
    """By path, as the resources give it to ``request``, without the query."""
    known: Callable[[ModuleType], bool] = lambda _module: True
    """Whether this version of its base client can be instrumented without counting calls twice."""
    further: tuple[Patch, ...] = ()


class Server(NamedTuple):
    """Where a client sends its requests."""

    provider: str
    address: str
    port: int | None


def patches(library: Library) -> tuple[Patch, ...]:
    """Everything to wrap in ``library``."""
    base, streaming, response = (
        f"{library.package}.{module}" for module in ("_base_client", "_streaming", "_response")
    )

    def request(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
        call = _begin(library, client, args, kwargs)
        if call is None:
            return wrapped(*args, **kwargs)
        with call:
            result = wrapped(*args, **kwargs)
        _returned(call, result)
        return result

    async def request_async(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
        call = _begin(library, client, args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        with call:
            result = await wrapped(*args, **kwargs)
        _returned(call, result)
        return result

    return (
        Patch(base, "SyncAPIClient.request", request, library.known),
        Patch(base, "AsyncAPIClient.request", request_async, library.known),
        # Not every version has these: one that never retries, or cannot be closed, lacks nothing.
        Patch(base, "SyncAPIClient._sleep_for_retry", _retrying, library.known, optional=True),
        Patch(base, "AsyncAPIClient._sleep_for_retry", _retrying, library.known, optional=True),
        Patch(streaming, "Stream.close", closing, optional=True),
        Patch(streaming, "AsyncStream.close", closing, optional=True),
        Patch(response, "APIResponse.close", _closing_raw, optional=True),
        Patch(response, "AsyncAPIResponse.close", _closing_raw_async, optional=True),
        *library.further,
    )


def _retrying(wrapped: Any, _client: Any, args: Any, kwargs: Any) -> Any:
    if (call := calling()) is not None:
        call.attempts += 1
    return wrapped(*args, **kwargs)


def closing(wrapped: Any, stream: Any, args: Any, kwargs: Any) -> Any:
    """Wrapper of a stream's ``close``: the application has had enough of it."""
    try:
        return wrapped(*args, **kwargs)
    finally:
        _closed(stream)


def _begin(library: Library, client: Any, args: Any, kwargs: Any) -> Call | None:
    """The call that this request is; None where it is none of ours, or nobody listens."""
    telemetry = current()
    if telemetry is None:
        return None
    try:
        options = kwargs["options"] if "options" in kwargs else args[1]
        path = options.url.partition("?")[0]
        endpoint = library.endpoints.get(path) or library.endpoints.get(f"/{path}")
        if endpoint is None or not telemetry.heard() or not is_instrumentation_enabled():
            return None
        body = fields(options.json_data)
        if extra := getattr(options, "extra_json", None):
            body = {**body, **extra}
        server = _server(library, client, telemetry)
        request = Request(
            provider=server.provider,
            model=said(body, "model"),
            server_address=server.address,
            server_port=server.port,
            stream=kwargs.get("stream") is True,
            attributes=endpoint.request(body, telemetry.settings.content_on_spans),
        )
        return Call(telemetry, endpoint, request)
    except Exception:
        log.debug("A call was not recorded", exc_info=True)
        return None


def _returned(call: Call, result: Any) -> None:
    """What came back of a call that did not raise: an answer, or something yet to be read."""
    try:
        if hasattr(cast(Any, type(result)), "__stream__"):
            streams.watch(result, call)
        elif "http_response" in getattr(result, "__dict__", ()):
            _returned_raw(call, result)
        else:
            call.finish(result)
    except Exception:
        log.debug("An answer was not understood", exc_info=True)
        call.finish(None)


_raw: Final[weakref.WeakKeyDictionary[Any, Call]] = weakref.WeakKeyDictionary()
"""The calls whose raw response the application has yet to read."""


def _returned_raw(call: Call, raw: Any) -> None:
    """A raw response: read already, or parsed by the application later, or closed, or dropped."""
    if raw.http_response.is_closed and not call.request.stream:
        call.finish(json.loads(raw.http_response.content))
        return
    _raw[raw] = call
    dropped = weakref.finalize(raw, call.abandon, None)
    # The client's own copy for this request, not the caller's options.
    options = raw._options
    parser = options.post_parser

    def parsed(result: Any) -> Any:
        dropped.detach()
        _raw.pop(raw_reference(), None)
        _returned(call, result)
        return parser(result) if callable(parser) else result

    raw_reference = weakref.ref(raw)
    options.post_parser = parsed


_closed = guarded(streams.close)


@guarded
def _closed_raw(raw: Any) -> None:
    """The application is done with a raw response, which it may have read without parsing it."""
    call = _raw.pop(raw, None)
    if call is None:
        return
    try:
        call.finish(None if call.request.stream else json.loads(raw.http_response.content))
    except Exception:  # not read, or not JSON
        call.finish(None)


def _closing_raw(wrapped: Any, raw: Any, args: Any, kwargs: Any) -> Any:
    try:
        return wrapped(*args, **kwargs)
    finally:
        _closed_raw(raw)


async def _closing_raw_async(wrapped: Any, raw: Any, args: Any, kwargs: Any) -> Any:
    try:
        return await wrapped(*args, **kwargs)
    finally:
        _closed_raw(raw)


_servers: Final[weakref.WeakKeyDictionary[Any, tuple[Any, Telemetry, Server]]] = (
    weakref.WeakKeyDictionary()
)


def _server(library: Library, client: Any, telemetry: Telemetry) -> Server:
    """Where ``client`` sends requests, worked out once for as long as its base URL stays."""
    url = client.base_url
    try:
        known = _servers.get(client)
    except TypeError:  # a subclass that cannot be hashed
        return _resolve_server(library, url, telemetry)
    if known is None or known[0] is not url or known[1] is not telemetry:
        known = _servers[client] = url, telemetry, _resolve_server(library, url, telemetry)
    return known[2]


def _resolve_server(library: Library, url: Any, telemetry: Telemetry) -> Server:
    address: str = url.host
    port: int = url.port or (80 if url.scheme == "http" else 443)
    provider = provider_of(address, port)
    if provider == names.PROVIDER_OTHER and not telemetry.settings.gateways.isdisjoint(
        {address, f"{address}:{port}"}
    ):
        provider = library.provider
    return Server(provider, address, port)
