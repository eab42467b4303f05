"""Receiving OTLP on loopback: HTTP with protobuf or JSON bodies, and gRPC when asked for.

with Receiver(collected := Collected()) as receiver:
    ...  # an exporter with OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url
    collected.wait_for(lambda seen: len(seen.spans) == 3)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Protocol, Self

from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from farthing_dashboards.loopback import LoopbackHandler, LoopbackServer, Refused
from farthing_dashboards.otlp import SIGNALS, LogRecord, Point, Record, Signal, Span, decode

MAX_BODY = 16 * 1024 * 1024
"""The default limit of a request's body in bytes, before and after decompression."""

_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_PATHS = {signal.path: signal for signal in SIGNALS}
_RPC_CODES = {
    HTTPStatus.BAD_REQUEST: Code.INVALID_ARGUMENT,
    HTTPStatus.FORBIDDEN: Code.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.UNAVAILABLE,
}
_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes the records of one request; called from several threads at once.

    The sender is told that its records arrived only when this returns; when it raises, the sender
    is told to try again later.
    """

    def __call__(self, records: Sequence[Record], /) -> None: ...


class Collected:
    """A sink that keeps every record in memory, in order of arrival."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._changed = threading.Condition()

    def __call__(self, records: Sequence[Record], /) -> None:
        with self._changed:
            self._records.extend(records)
            self._changed.notify_all()

    @property
    def records(self) -> list[Record]:
        """A copy of everything so far."""
        with self._changed:
            return list(self._records)

    @property
    def spans(self) -> list[Span]:
        return [record for record in self.records if isinstance(record, Span)]

    @property
    def points(self) -> list[Point]:
        return [record for record in self.records if isinstance(record, Point)]

    @property
    def logs(self) -> list[LogRecord]:
        return [record for record in self.records if isinstance(record, LogRecord)]

    def wait_for(self, predicate: Callable[[Collected], bool], timeout: float = 10.0) -> bool:
        """Whether ``predicate`` became true within ``timeout`` seconds; asked at each arrival."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(self), timeout)


class Receiver:
    """An OTLP endpoint on 127.0.0.1 that hands decoded records to ``sink``; a context manager.

    A port of 0 means any free one. Raises OSError when a port is taken.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        port: int = 0,
        grpc: bool = False,
        grpc_port: int = 0,
        max_body: int = MAX_BODY,
    ) -> None:
        self._http = OtlpServer(sink, port, max_body)
        self._grpc: _GrpcServer | None = None
        if grpc:
            try:
                self._grpc = _GrpcServer(sink, grpc_port, max_body)
            except BaseException:
                self._http.close()
                raise

    @property
    def url(self) -> str:
        """The endpoint for OTLP/HTTP (protocols http/protobuf and http/json)."""
        return self._http.url

    @property
    def grpc_url(self) -> str | None:
        """The endpoint for OTLP/gRPC, None unless it was asked for."""
        return f"http://127.0.0.1:{self._grpc.port}" if self._grpc else None

    def __enter__(self) -> Self:
        self._http.__enter__()
        if self._grpc:
            self._grpc.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is arriving, then free the ports; no thread stays behind."""
        if self._grpc:
            self._grpc.close()
        self._http.close()


def _take_in(sink: Sink, signal: Signal, body: bytes, *, json: bool) -> None:
    try:
        records = decode(signal, body, json=json)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
    try:
        sink(records)
    except Refused:
        raise
    except Exception as error:
        _log.exception("The telemetry that arrived could not be stored; its sender will retry.")
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE, "The records could not be stored: try again later."
        ) from error


class OtlpServer(LoopbackServer):
    """OTLP/HTTP into ``sink``; a ``handler`` of its own may answer more than that."""

    def __init__(
        self, sink: Sink, port: int, max_body: int, handler: type[OtlpHandler] | None = None
    ) -> None:
        self.sink = sink
        self.max_body = max_body
        super().__init__(handler or OtlpHandler, port)


class OtlpHandler(LoopbackHandler):
    """Answers OTLP/HTTP requests."""

    server: OtlpServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        try:
            body = self.read_body(self.server.max_body)
            signal = _PATHS.get(self.path.partition("?")[0])
            if signal is None:
                raise Refused(
                    HTTPStatus.NOT_FOUND, f"Send OTLP to {', '.join(_PATHS)}, not {self.path}."
                )
            media_type = self._media_type()
            if media_type not in (_PROTOBUF, _JSON):
                raise Refused(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                    f"Send Content-Type {_PROTOBUF} or {_JSON}, not {media_type or 'none'}.",
                )
            _take_in(self.server.sink, signal, body, json=media_type == _JSON)
        except Refused as refused:
            self.send_error(refused.status, refused.sentence)
        else:
            # An Export…ServiceResponse without partial_success: all was accepted.
            self.reply(HTTPStatus.OK, b"{}" if media_type == _JSON else b"", media_type)

    def do_GET(self) -> None:
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, f"POST OTLP to {', '.join(_PATHS)}.")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A google.rpc.Status, as OTLP/HTTP wants, in the encoding of the request."""
        status = Status(
            code=_RPC_CODES.get(HTTPStatus(code), Code.UNKNOWN),
            message=message or HTTPStatus(code).phrase,
        )
        headers = {"Retry-After": "1"} if code == HTTPStatus.SERVICE_UNAVAILABLE else None
        if self._media_type() == _PROTOBUF:
            self.reply(code, status.SerializeToString(), _PROTOBUF, headers)
        else:
            self.reply(code, json_format.MessageToJson(status).encode(), _JSON, headers)

    def _media_type(self) -> str:
        # A request line that cannot be parsed ends before there are headers.
        headers: Any = getattr(self, "headers", None)
        return headers.get_content_type() if headers and "Content-Type" in headers else ""


class _GrpcServer:
    def __init__(self, sink: Sink, port: int, max_body: int) -> None:
        import grpc  # 40 ms of import that OTLP/HTTP alone does not need

        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="otlp-grpc")
        self.server = grpc.server(
            self._pool,
            options=[("grpc.max_receive_message_length", max_body), ("grpc.so_reuseport", 0)],
        )

        codes = {
            HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
            HTTPStatus.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
            HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        }

        def export(signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
            def handle(body: bytes, context: grpc.ServicerContext) -> bytes:
                try:
                    _take_in(sink, signal, body, json=False)
                except Refused as refused:
                    context.abort(codes[refused.status], refused.sentence)
                return b""

            return handle

        self.server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    signal.service,
                    {"Export": grpc.unary_unary_rpc_method_handler(export(signal))},
                )
                for signal in SIGNALS
            ]
        )
        try:
            self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        except RuntimeError as error:
            raise OSError(f"Port {port} is taken: choose another one for OTLP/gRPC.") from error

    def close(self) -> None:
        self.server.stop(grace=1).wait()
        self._pool.shutdown()
