"""A provider on the loopback: it answers what it is told to, and can cut, stall, fail and wait."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

THREADS: Final = "provider-"
"""How the names of the server's own threads begin."""
PATIENCE_S: Final = 8.0
"""How long a stalled answer waits to be released, so that a broken test ends."""
EVENTS: Final = "text/event-stream"
_BOUNDARY: Final = re.compile(rb"boundary=([^;\s]+)")


@dataclass(frozen=True)
class Reply:
    """One answer: its body in the pieces in which it is sent. Immutable."""

    pieces: tuple[bytes, ...]
    kind: str = "application/json"
    """Its content type; `EVENTS` is a stream, each piece one event."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Close the connection after so many pieces, and half of the next one."""
    stall: int | None = None
    """Wait after so many pieces until released; -1 is before the headers."""
    paced: bool = False
    """Send each piece only when the application has asked for it (`Server.ask`)."""

    @property
    def streams(self) -> bool:
        return self.kind == EVENTS

    def but(self, **changes: Any) -> Reply:
        return replace(self, **changes)


def answer(body: object, **more: Any) -> Reply:
    """A JSON answer."""
    return Reply((json.dumps(body).encode(),), **more)


def events(bodies: Iterable[Mapping[str, Any]], *, done: bool = False) -> Reply:
    """A stream of server-sent events; named by their type where they have one."""
    pieces = [
        (f"event: {body['type']}\n" if "type" in body else "").encode()
        + b"data: "
        + json.dumps(body).encode()
        + b"\n\n"
        for body in bodies
    ]
    return Reply((*pieces, *([b"data: [DONE]\n\n"] if done else [])), EVENTS)


def error(status: int, message: str = "no", **more: Any) -> Reply:
    """An error in the shape that both OpenAI and Anthropic give it."""
    body = {"type": "error", "error": {"type": "oops", "message": message, "code": "oops"}}
    return answer(body, status=status, headers={"retry-after-ms": "1"}, **more)


@dataclass(frozen=True)
class Received:
    """One request as the server saw it, without what differs between any two runs. Immutable."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    trace: str | None = field(default=None, compare=False)
    """Its trace context, which is another one each time."""


class Server:
    """A server of canned answers; one plan at a time, the last answer of it again and again."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.sent = 0
        """Pieces sent of the current answer."""
        self.stalled = threading.Event()
        self._released = threading.Event()
        self._asked = threading.Semaphore(0)
        self._replies: list[Reply] = []
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name=f"{THREADS}main", daemon=True
        ).start()

    def plan(self, *replies: Reply) -> None:
        """Forget what was, and answer with ``replies`` in turn."""
        self.release()
        self._replies = list(replies)
        self.requests = []
        self.sent = 0
        self.stalled = threading.Event()
        self._released = threading.Event()
        self._asked = threading.Semaphore(0)

    def release(self) -> None:
        """Let whatever stalls go on."""
        self._released.set()
        self._asked.release(64)  # more than any answer has pieces

    def ask(self) -> None:
        """Have one more piece of a paced answer sent."""
        self._asked.release()

    def close(self) -> None:
        self.release()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, handler: _Handler) -> None:
        self.requests.append(_received(handler))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        stalled, released, asked = self.stalled, self._released, self._asked

        def stall(at: int) -> None:
            if reply.stall == at:
                stalled.set()
                released.wait(PATIENCE_S)

        stall(-1)
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.kind)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("x-request-id", "req_1")
        handler.send_header("request-id", "req_1")
        if reply.streams:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(sum(map(len, reply.pieces))))
        handler.end_headers()
        for index, piece in enumerate(reply.pieces):
            stall(index)
            if reply.paced:
                asked.acquire(timeout=PATIENCE_S)
            if reply.cut == index:
                handler.wfile.write(_framed(reply, piece)[: len(piece) // 2])
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            self.sent = index + 1
            handler.wfile.write(_framed(reply, piece))
        if reply.streams:
            handler.wfile.write(b"0\r\n\r\n")


def _framed(reply: Reply, piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if reply.streams else piece


def _received(handler: _Handler) -> Received:
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    headers = [(name.lower(), value) for name, value in handler.headers.items()]
    trace = next((value for name, value in headers if name == "traceparent"), None)
    kept = [(name, value if name != "traceparent" else "") for name, value in headers]
    kind = handler.headers.get("Content-Type", "")
    if found := _BOUNDARY.search(kind.encode()):
        body = body.replace(found[1], b"boundary")
        kept = [(n, v.replace(found[1].decode(), "boundary")) for n, v in kept]
    return Received(f"{handler.command} {handler.path}", tuple(kept), body, trace)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server

    def process_request(self, request: Any, client_address: Any) -> None:
        threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"{THREADS}connection",
            daemon=True,
        ).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no affair of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_POST(self) -> None:
        self.server.owner.answer(self)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test says what matters."""
