"""A threading HTTP/1.1 server for loopback alone, the base of the OTLP receiver and the simulator.

It binds 127.0.0.1, refuses requests whose Host is not a loopback name (a web page that rebinds its
own name to 127.0.0.1 must not reach us), bounds every body and leaves no thread behind.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import ipaddress
import re
import socket
import threading
import zlib
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_HOST = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<name>[^:]+)(?::\d+)?")
_IDLE_SECONDS = 60
_PIECE = 64 * 1024


class Refused(Exception):
    """A request that cannot be served: the HTTP status and one sentence that says what to do."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class LoopbackServer(ThreadingHTTPServer):
    """Serves between ``__enter__`` and ``__exit__``; the port is bound at construction, 0 = any."""

    request_queue_size = 128
    # Joined by close(); daemons, so that a program that forgets to close still ends.
    daemon_threads = True

    def __init__(self, handler: type[LoopbackHandler], port: int = 0) -> None:
        self.closing = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, name=handler.__name__
        )
        self._acceptor.daemon = True
        super().__init__(("127.0.0.1", port), handler)

    @property
    def url(self) -> str:
        """The address to point a client at, without a trailing slash."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let running requests finish, close idle connections, free the port; safe to repeat."""
        self.closing.set()
        if self._acceptor.is_alive():
            self.shutdown()
            self._acceptor.join()
        with self._lock:
            connections = dict(self._connections)
        for thread, connection in connections.items():
            with contextlib.suppress(OSError):  # already gone
                connection.shutdown(socket.SHUT_RD)
            thread.join()
        self.server_close()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[threading.current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._connections[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news for this terminal."""


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers on one connection; subclasses add ``do_GET`` and ``do_POST``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    wbufsize = -1  # head and body in one packet

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if not is_loopback(self.headers.get("Host", "")):
            self.close_connection = True
            self.send_error(
                HTTPStatus.FORBIDDEN,
                "Use http://127.0.0.1 or http://localhost: only loopback names are served here.",
            )
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not news either."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """One sentence as plain text; the base class calls this for what it cannot parse."""
        self.reply(code, f"{message or HTTPStatus(code).phrase}\n".encode(), "text/plain")

    def reply(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        """A whole response with its length; of a HEAD request, all but the body."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()  # the base class forgets to, of methods that there are none of

    def read_body(self, limit: int) -> bytes:
        """The body, decompressed; raises Refused when it, packed or not, passes ``limit``."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = self._read_chunks(limit)
        else:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal():
                self.close_connection = True
                raise Refused(HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length header.")
            body = self._read_exactly(int(length), limit)
        return self._unpack(body, limit)

    def _read_exactly(self, length: int, limit: int) -> bytes:
        if length > limit:
            # A client that is still sending does not read our answer, so take some of it in.
            self.close_connection = True
            rest = min(length, 4 * limit)
            while rest > 0 and (piece := self.rfile.read(min(rest, _PIECE))):
                rest -= len(piece)
            raise self._too_large(limit)
        body = self.rfile.read(length)
        if len(body) < length:
            raise self._cut_off()
        return body

    def _read_chunks(self, limit: int) -> bytes:
        body = bytearray()
        while True:
            size_line = self.rfile.readline(100).split(b";")[0].strip()
            try:
                size = int(size_line, 16)
            except ValueError:
                raise self._cut_off() from None
            if size == 0:
                while self.rfile.readline(_PIECE).strip():
                    pass  # trailers
                return bytes(body)
            body += self._read_exactly(size, limit - len(body))
            self.rfile.readline(3)

    def _unpack(self, body: bytes, limit: int) -> bytes:
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        try:
            match encoding:
                case "identity" | "":
                    return body
                case "gzip":
                    unpacked = gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1)
                case "deflate":
                    unpacked = zlib.decompressobj().decompress(body, limit + 1)
                case _:
                    raise Refused(
                        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                        f"Send gzip, deflate or no Content-Encoding, not {encoding!r}.",
                    )
        except (OSError, EOFError, zlib.error) as error:
            raise Refused(
                HTTPStatus.BAD_REQUEST, f"The body is not valid {encoding}: {error}."
            ) from error
        if len(unpacked) > limit:
            raise self._too_large(limit)
        return unpacked

    def _too_large(self, limit: int) -> Refused:
        return Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is larger than {limit} bytes: send smaller batches.",
        )

    def _cut_off(self) -> Refused:
        self.close_connection = True
        return Refused(HTTPStatus.BAD_REQUEST, "The body ended before its announced length.")


def is_loopback(host: str) -> bool:
    """Whether a Host header (with or without a port) names this machine's loopback."""
    match = _HOST.fullmatch(host.strip().lower())
    if match is None:
        return False
    name = match["v6"] or match["name"]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
