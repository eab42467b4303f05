"""The page, its API and an OTLP endpoint on one loopback server, over one store.

with Store(path) as store, PageServer(store) as server:
    ...  # open server.url; exporters send to the same address
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, Final, Protocol, cast
from urllib.parse import parse_qsl

from farthing_dashboards.loopback import Refused
from farthing_dashboards.page.assets import INDEX, Asset, assets, policy
from farthing_dashboards.receiver import MAX_BODY, OtlpHandler, OtlpServer, Sink
from farthing_dashboards.store import StoreError
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page, people
from farthing_dashboards.view.trace import trace

_SECURITY: Final = {
    "Content-Security-Policy": policy("'self'", "'self'", "'self'") + "; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STATIC: Final = "/static/"
_JSON: Final = "application/json"
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Readable(Protocol):
    """What the page is read from: ``farthing_dashboards.store``'s stores."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]: ...


class PageServer(OtlpServer):
    """Serves between ``__enter__`` and ``__exit__``; the port is bound at construction, 0 = any.

    ``store`` takes in what arrives by OTLP when it is a sink; one that is only read takes nothing.
    ``now`` is a clock, in nanoseconds since the epoch. Raises OSError when the port is taken.
    """

    def __init__(
        self,
        store: Readable,
        *,
        port: int = 0,
        max_body: int = MAX_BODY,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.store = store
        self.now = now
        super().__init__(
            cast("Sink", store) if callable(store) else _nowhere, port, max_body, _PageHandler
        )


class _PageHandler(OtlpHandler):
    server: PageServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self._is_foreign():
            self.close_connection = True
            self.send_error(
                HTTPStatus.FORBIDDEN, "Only the page itself may ask: open it by its own address."
            )
            return False
        return True

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        try:
            if path in _ANSWERS:
                self._answer(_ANSWERS[path], dict(parse_qsl(query, keep_blank_values=True)))
            else:
                self._send(_asset(path))
        except Refused as refused:
            self.send_error(refused.status, refused.sentence)

    do_HEAD = do_GET

    def _is_foreign(self) -> bool:
        """Whether another site's page asks for more than to open ours."""
        headers = self.headers
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{headers['Host'].strip()}":
            return True
        asks = headers.get("Sec-Fetch-Site", "none")
        return asks not in ("none", "same-origin") and not (
            self.command in ("GET", "HEAD") and self.path.partition("?")[0] == "/"
        )

    def _answer(self, answer: _Answer, query: Mapping[str, str]) -> None:
        try:
            with self.server.store.reading() as connection:
                found = answer(connection, query, self.server.now())
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        except StoreError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        except sqlite3.Error as error:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, f"The store cannot be read now: {error}."
            ) from error
        self.reply(HTTPStatus.OK, json.dumps(found).encode(), _JSON, _NO_STORE)

    def _send(self, asset: Asset) -> None:
        headers = {"Cache-Control": "no-cache", "ETag": asset.etag}
        if self.headers.get("If-None-Match") == asset.etag:
            self.reply(HTTPStatus.NOT_MODIFIED, b"", asset.media_type, headers)
        else:
            self.reply(HTTPStatus.OK, asset.body, asset.media_type, headers)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """One sentence: as OTLP wants it to those who send, as ``{"error": …}`` to the others."""
        if self.command == "POST":
            super().send_error(code, message, explain)
            return
        says = json.dumps({"error": message or HTTPStatus(code).phrase}).encode()
        self.reply(code, says, _JSON, _NO_STORE)

    def end_headers(self) -> None:
        for name, value in _SECURITY.items():
            self.send_header(name, value)
        super().end_headers()


_Answer = Callable[[sqlite3.Connection, Mapping[str, str], int], dict[str, Any]]


def _trace(connection: sqlite3.Connection, query: Mapping[str, str], now_ns: int) -> dict[str, Any]:
    asked = query.get("id", "")
    if not asked:
        raise Refused(HTTPStatus.BAD_REQUEST, "Say which trace: /api/trace?id=TRACE_ID.")
    found = trace(connection, asked)
    if found is None:
        raise Refused(
            HTTPStatus.NOT_FOUND, f"The store has no trace {asked[:64]}: it may have been too old."
        )
    return found


_ANSWERS: Final[Mapping[str, _Answer]] = {
    "/api/page": lambda connection, query, now: page(connection, Asked.of(query), now),
    "/api/people": lambda connection, query, now: people(connection, Asked.of(query), now),
    "/api/trace": _trace,
}


def _asset(path: str) -> Asset:
    found = assets().get(INDEX if path == "/" else path.removeprefix(_STATIC))
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, f"There is nothing at {path[:100]}: open / instead.")
    return found


def _nowhere(_: object) -> None:
    raise Refused(HTTPStatus.FORBIDDEN, "This store is open for reading alone: send it elsewhere.")
