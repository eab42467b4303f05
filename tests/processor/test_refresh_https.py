"""Where a table may come from: files and https, in limits; nothing else, and no secret in a log."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import refresh
from farthing_processor.pricing.refresh import Fetched
from farthing_processor.pricing.tables import MAX_BYTES, Unusable
from tests import needs

EPOCH = datetime.fromtimestamp(0, UTC)


class Answers(BaseHTTPRequestHandler):
    """A table under several conditions, by path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/etag" and self.headers.get("If-None-Match") == '"v1"':
            self._send(304, b"")
        elif path == "/to-http":
            plain = f"http://localhost:{self.server.server_address[1]}/table"
            self._send(302, b"", Location=plain)
        elif path == "/to-https":
            self._send(302, b"", Location="/table")
        elif path == "/large":
            self._send(200, b"[" * (MAX_BYTES + 1))
        elif path == "/gone":
            self._send(404, b"")
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"[")
            self.close_connection = True
        elif path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b" ")
                if self.server.stopping.wait(0.05):  # type: ignore[attr-defined]
                    break
        else:
            modified = "Fri, 20 Nov 2026 10:00:00 GMT"
            self._send(200, b"[]", **{"Last-Modified": modified, "ETag": '"v1"'})

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    stopping: threading.Event

    def handle_error(self, *_: Any) -> None:
        """A client that went away in the middle is what is tested."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on loopback whose certificate is trusted."""
    openssl = needs.command("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", key, "-out", certificate, "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(("127.0.0.1", 0), Answers)
    server.stopping = threading.Event()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "localhost")
    yield f"https://localhost:{server.server_address[1]}"
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_table_and_when_it_was_published(url: str) -> None:
    fetched = refresh.fetch(f"{url}/table")
    assert fetched is not None
    assert (fetched.text, fetched.mark) == ("[]", '"v1"')
    assert fetched.at.isoformat() == "2026-11-20T10:00:00+00:00"
    assert refresh.fetch(f"{url}/to-https") == fetched


def test_what_has_not_changed_is_not_sent_again(url: str) -> None:
    assert refresh.fetch(f"{url}/etag", '"v1"') is None
    assert refresh.fetch(f"{url}/etag", '"v0"') is not None


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/to-http", "http"),
        ("/large", "larger than 5,000,000 bytes"),
        ("/gone", "answers 404"),
        ("/cut", "it"),
    ],
)
def test_what_is_not_a_whole_answer_over_https_is_refused(url: str, path: str, says: str) -> None:
    with pytest.raises(Unusable, match=says) as refused:
        refresh.offered(refresh.fetch(f"{url}{path}?key=secret") or Fetched("[]", EPOCH))
    assert "secret" not in str(refused.value)


def test_a_server_that_dribbles_is_left(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "TIMEOUT_S", 0.2)
    with pytest.raises(Unusable, match="longer than"):
        refresh.fetch(f"{url}/slow")


def test_a_certificate_that_nobody_vouches_for_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unusable, match="CERTIFICATE_VERIFY_FAILED"):
        refresh.fetch(f"{url}/table")


@pytest.mark.parametrize("source", ["http://localhost/prices.json", "ftp://localhost/x"])
def test_only_https_and_files(source: str) -> None:
    with pytest.raises(Unusable, match="give an https URL or a file"):
        refresh.fetch(source)


def test_a_file_by_path_and_by_url(tmp_path: Path) -> None:
    file = tmp_path / "a table.json"
    file.write_text("[]")
    fetched = refresh.fetch(str(file))
    assert fetched is not None
    assert refresh.fetch(file.as_uri()) == fetched
    assert refresh.fetch(str(file), fetched.mark) is None
    with pytest.raises(Unusable, match="cannot be read"):
        refresh.fetch(str(tmp_path))
    file.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(Unusable, match="larger"):
        refresh.fetch(str(file))


def test_a_secret_of_a_url_is_not_shown() -> None:
    assert refresh.shown("https://me:pw@host/p.json?sig=secret#x") == "https://host/p.json"
