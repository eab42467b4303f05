"""Clients generated from an OpenAPI description: three methods of one base lead to every call.

The ``openai`` and ``anthropic`` packages (and groq, together and others) share a base client. Every
resource, helper, parse, raw and streaming call comes by its ``post`` or ``get``, and from there by
``request``; whichever is reached first begins the call. Other tracers put a ``request`` of their
own on the client's class, which may pass the base client's by or suppress what is in it; and a
resource made before we came keeps the ``post`` that it knew. The events of a stream are read by
the one iterator inside the stream object.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple, cast

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from farthing import raw, streams
from farthing.call import Call, Unrecorded, calling, guarded
from farthing.endpoint import Body, Endpoint, Request
from farthing.patching import Patch, Wrapper
from farthing.reading import said
from farthing.telemetry import Telemetry, current, log
from farthing_processor import semconv as names
from farthing_processor.pricing.hosts import provider_of
from farthing_processor.readers import fields
from farthing_processor.settings import Settings


class Library(NamedTuple):
    """What there is to know of one generated client library."""

    package: str
    provider: str
    """Whose API it speaks: the provider of the gateways that the user named."""
    endpoints: Mapping[str, Endpoint]
    """By path, as the resources give it to ``request``, without the query; ``*`` is one segment."""
    known: Callable[[ModuleType], bool] = lambda _module: True
    """Whether this version of its base client can be instrumented without counting calls twice."""
    platforms: Mapping[str, str] = {}
    """Class of client → the provider behind a gateway of the user's, where it is another."""
    further: tuple[Patch, ...] = ()
    makes_span: Callable[[Any, Settings], bool] = lambda _client, _settings: False
    """(client, settings) → whether the client is to make the span of its calls, not we."""


class Server(NamedTuple):
    """Where a client sends its requests."""

    provider: str
    address: str
    port: int | None


def patches(library: Library) -> tuple[Patch, ...]:
    """Everything to wrap in ``library``."""
    base, streaming = f"{library.package}._base_client", f"{library.package}._streaming"

    def sync(name: str) -> Wrapper:
        def wrapper(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
            call, args, kwargs = _begin(library, name, client, args, kwargs)
            if call is None:
                return wrapped(*args, **kwargs)
            with call:
                result = wrapped(*args, **kwargs)
            if isinstance(call, Call):
                _returned(call, result)
            return result

        return wrapper

    def awaiting(name: str) -> Wrapper:
        async def wrapper(wrapped: Any, client: Any, args: Any, kwargs: Any) -> Any:
            call, args, kwargs = _begin(library, name, client, args, kwargs)
            if call is None:
                return await wrapped(*args, **kwargs)
            with call:
                result = await wrapped(*args, **kwargs)
            if isinstance(call, Call):
                _returned(call, result)
            return result

        return wrapper

    return (
        *(
            Patch(base, f"{client}.{name}", kind(name), library.known)
            for client, kind in (("SyncAPIClient", sync), ("AsyncAPIClient", awaiting))
            for name in ("post", "get", "request")
        ),
        # Not every version has these: one that never retries, or cannot be closed, lacks nothing.
        Patch(base, "SyncAPIClient._sleep_for_retry", _retrying, library.known, optional=True),
        Patch(base, "AsyncAPIClient._sleep_for_retry", _retrying, library.known, optional=True),
        Patch(streaming, "Stream.close", closing, optional=True),
        Patch(streaming, "AsyncStream.close", closing, optional=True),
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


class Asked(NamedTuple):
    """What one of the three methods was asked for. Immutable."""

    method: str
    path: str
    body: Any
    extra: Any
    """What the caller adds to the body."""
    headers: Any
    post_parser: Any

    @staticmethod
    def read(name: str, args: Any, kwargs: Any) -> Asked:
        if name == "request":
            options = kwargs["options"] if "options" in kwargs else args[1]
            extra = getattr(options, "extra_json", None)
            method, path, body = options.method.lower(), options.url, options.json_data
            return Asked(method, path, body, extra, options.headers, options.post_parser)
        path = args[0] if args else kwargs["path"]
        given = fields(kwargs.get("options"))
        extra, headers, parser = map(given.get, ("extra_json", "headers", "post_parser"))
        return Asked(name, path, kwargs.get("body"), extra, headers, parser)

    def changed(self, name: str, args: Any, kwargs: Any, **changes: Any) -> tuple[Any, Any]:
        """The arguments with another ``body`` or ``post_parser``, in objects of their own."""
        if name != "request":
            sent = {"body": changes.pop("body")} if "body" in changes else {}
            options = {**fields(kwargs.get("options")), **changes}
            return args, {**kwargs, **sent, "options": options}
        options = copy.copy(kwargs["options"] if "options" in kwargs else args[1])
        for field, value in changes.items():
            setattr(options, "json_data" if field == "body" else field, value)
        if "options" in kwargs:
            return args, {**kwargs, "options": options}
        return (args[0], options, *args[2:]), kwargs


def _begin(
    library: Library, name: str, client: Any, args: Any, kwargs: Any
) -> tuple[Call | Unrecorded | None, Any, Any]:
    """The call that ``name`` was called for, and what to call the client with.

    `Unrecorded` where it is none of ours; None where it is begun already, or nobody listens.
    """
    telemetry = current()
    try:
        if telemetry is None or not telemetry.heard():
            return None, args, kwargs
        if name == "request" and (begun := calling()) is not None and not begun.requested:
            begun.requested = True
            return None, args, kwargs
        asked = Asked.read(name, args, kwargs)
        endpoint, id, url = _endpoint(library, client, asked.path)
        if endpoint is None or endpoint.method != asked.method or not is_instrumentation_enabled():
            return Unrecorded(), args, kwargs
        body = fields(asked.body)
        if asked.extra:
            body = {**body, **asked.extra}
        if id is not None:
            body = {"id": id, **body}
        server = _server(library, client, telemetry, url)
        request = Request(
            provider=server.provider,
            model=said(body, "model"),
            server_address=server.address,
            server_port=server.port,
            stream=kwargs.get("stream") is True,
            attributes=endpoint.request(body),
        )
        makes_span = library.makes_span(client, telemetry.settings)
        call = Call(telemetry, endpoint, request, body, makes_span)
        call.requested = name == "request"
    except Exception:
        log.debug("A call was not recorded", exc_info=True)
        return None, args, kwargs
    return call, *_asking(call, telemetry.settings, body, asked, name, args, kwargs)


def _endpoint(library: Library, client: Any, path: str) -> tuple[Endpoint | None, str | None, Any]:
    """What ``path`` stands for, if it is one of ours; the id in it; its whole URL."""
    path, endpoints, url = path.partition("?")[0], library.endpoints, None
    if "://" in path:
        url = client.base_url.join(path)
        path = url.path.removeprefix(client.base_url.path.rstrip("/"))
    if not path.startswith("/"):
        path = f"/{path}"
    if (found := endpoints.get(path)) is not None:
        return found, None, url
    head, _, last = path.rpartition("/")
    if (found := endpoints.get(f"{head}/*")) is not None:
        return found, last, url
    before, _, id = head.rpartition("/")
    return endpoints.get(f"{before}/*/{last}"), id, url


def _asking(
    call: Call, settings: Settings, body: Body, asked: Asked, name: str, args: Any, kwargs: Any
) -> tuple[Any, Any]:
    """The arguments for the client, with what we want to know of its answer.

    What the caller gave is not written to: they may give it again.
    """
    try:
        changed: dict[str, Any] = {}
        if callable(parser := asked.post_parser):
            # What is refused here was answered all the same, and is billed.
            def parsed(result: Any) -> Any:
                call.parsed = result
                return parser(result)

            changed["post_parser"] = parsed
        wanted = call.endpoint.usage_request
        # Not where the application reads the bytes: an event could not be kept from it there.
        if wanted and settings.include_usage and call.request.stream and not _is_raw(asked.headers):
            asking = wanted.ask(body)
            if asking is not None:
                changed["body"] = asking
                call.hidden = wanted.extra
        if changed:
            return asked.changed(name, args, kwargs, **changed)
    except Exception:
        log.debug("A request was sent as it was", exc_info=True)
    return args, kwargs


def _is_raw(headers: Any) -> bool:
    return _RAW in {name.lower() for name in fields(headers)}


_RAW: Final = "x-stainless-raw-response"


def _returned(call: Call, result: Any) -> None:
    """What came back of a call that did not raise: an answer, or something yet to be read."""
    try:
        # What it says it is: another tracer may have put a proxy around the stream.
        if hasattr(result.__class__, "__stream__"):
            streams.watch(result, call)
        elif "http_response" in getattr(result, "__dict__", ()):
            response = result.http_response
            if response.is_closed and not call.request.stream:
                call.finish(raw.understood(response, call))
            else:
                raw.watch(result, call, _returned)
        elif hasattr(cast(Any, type(result)), "iter_bytes"):  # what is no text, in its response
            call.finish(raw.understood(result.response, call))
        else:
            call.finish(result)
    except Exception:
        log.debug("An answer was not understood", exc_info=True)
        call.finish(None)


_closed = guarded(streams.close)


_servers: Final[weakref.WeakKeyDictionary[Any, tuple[Any, Telemetry, Server]]] = (
    weakref.WeakKeyDictionary()
)


def _server(library: Library, client: Any, telemetry: Telemetry, url: Any) -> Server:
    """Where ``client`` sends requests: to ``url``, or to its base URL.

    Worked out once for as long as the base URL stays.
    """
    if url is not None:
        return _resolve(library, client, url, telemetry)
    url = client.base_url
    try:
        known = _servers.get(client)
    except TypeError:  # a subclass that cannot be hashed
        return _resolve(library, client, url, telemetry)
    if known is None or known[0] is not url or known[1] is not telemetry:
        known = _servers[client] = url, telemetry, _resolve(library, client, url, telemetry)
    return known[2]


def _resolve(library: Library, client: Any, url: Any, telemetry: Telemetry) -> Server:
    address: str = url.host
    port: int = url.port or (80 if url.scheme == "http" else 443)
    provider = provider_of(address, port)
    if provider == names.PROVIDER_OTHER and not telemetry.settings.gateways.isdisjoint(
        {address, f"{address}:{port}"}
    ):
        kinds = (kind.__name__ for kind in cast(Any, type(client)).__mro__)
        named = (library.platforms[kind] for kind in kinds if kind in library.platforms)
        provider = next(named, library.provider)
    return Server(provider, address, port)
