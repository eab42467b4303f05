"""`farthing ui`: the page and an OTLP endpoint at one address, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator
from tests.e2e.conftest import APP, BIN
from tests.e2e.running import FARTHING, billed, costs, environment, started

SCHEME = "http://"


def free_port() -> str:
    """One that nobody else has: the default one is for a test that takes it from others."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def test_the_page_and_an_endpoint(simulator: Simulator, tmp_path: Path) -> None:
    """The store is made; an application's own exporter sends there; Ctrl-C ends it quietly."""
    (tmp_path / "app.py").write_text(APP)
    env = environment(simulator, tmp_path)
    store = tmp_path / "new" / "folder" / "telemetry.db"
    command = FARTHING, "ui", "--store", store, "--port", free_port()
    with started(*command, env=env, cwd=tmp_path) as running:
        says = running.wait_for(SCHEME)
        url = says.split()[0]
        assert str(store) in says
        running.wait_for("OTLP exporters can send to the same address")
        with urllib.request.urlopen(f"{url}/api/page") as answer:
            assert json.load(answer)["total"]["calls"] == 0
        result = subprocess.run(
            [BIN / "opentelemetry-instrument", sys.executable, "app.py"],
            env=env
            | {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        assert result.stderr == b""
        with urllib.request.urlopen(f"{url}/api/page") as answer:
            assert json.load(answer)["total"]["calls"] == 2
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 0
    assert running.stderr == ""
    assert costs(store) == billed(simulator)


TAKEN = "Port 4318 is taken, so another one is used.\n"


def test_a_taken_default_port_is_no_matter(simulator: Simulator, tmp_path: Path) -> None:
    env = environment(simulator, tmp_path)
    with ExitStack() as holding:
        with suppress(OSError):  # somebody else holds it, which is as good
            holding.enter_context(Receiver(Collected(), port=4318))
        with started(FARTHING, "ui", "--no-browser", env=env, cwd=tmp_path) as running:
            url = running.wait_for(SCHEME).split()[0]
            assert not url.endswith(":4318")
            running.process.terminate()
            assert running.end() == 0
    assert running.stderr == TAKEN


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["--port", "0"], 2, "'0' is no port: give a number from 1 to 65535"),
        (["--store", "."], 1, "is a folder: give the path of a file in it."),
        (["--store", "damaged.db"], 1, "is not a store"),
        (["--store", "file/store.db"], 1, "cannot be made"),
    ],
)
def test_what_cannot_be_served(
    simulator: Simulator, tmp_path: Path, arguments: list[str], exit_code: int, says: str
) -> None:
    (tmp_path / "damaged.db").write_bytes(b"?" * 1000)
    (tmp_path / "file").touch()
    result = subprocess.run(
        [FARTHING, "ui", *arguments],
        env=environment(simulator, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (exit_code, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_that_was_asked_for(
    simulator: Simulator, receiver: Receiver, tmp_path: Path
) -> None:
    port = receiver.url.rpartition(":")[2]
    result = subprocess.run(
        [FARTHING, "ui", "--port", port],
        env=environment(simulator, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"farthing ui: Port {port} cannot be used (Address already in use): choose another one.\n"
    )
