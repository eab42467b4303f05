"""Running `farthing run`, `ui` and `report`, and looking into the store that they leave."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Self

from farthing_dashboards.simulator import Simulator
from farthing_dashboards.store import open_for_reading
from farthing_dashboards.store.schema import to_usd
from tests.e2e.conftest import BIN

FARTHING = BIN / "farthing"


def environment(simulator: Simulator, folder: Path, **variables: str) -> dict[str, str]:
    """This one without anything of OpenTelemetry's or ours, with a home of its own."""
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "FARTHING_", "DISPLAY", "WAYLAND", "XDG_"))
    }
    return {
        **given,
        "PATH": f"{BIN}{os.pathsep}{given['PATH']}",
        "HOME": str(folder),
        "LLM_URL": simulator.url,
        "FARTHING_GATEWAYS": simulator.url.removeprefix("http://"),
        "FARTHING_STORE": str(folder / "telemetry.db"),
        **variables,
    }


def costs(path: Path) -> list[Decimal | None]:
    """What each call in the store cost, the cheapest first; None of those without a price."""
    with open_for_reading(path) as store, store.reading() as connection:
        found = connection.execute("SELECT cost FROM calls ORDER BY cost").fetchall()
    return [None if cost is None else to_usd(cost) for (cost,) in found]


def billed(simulator: Simulator) -> list[Decimal]:
    """What the simulator charged, in the same order."""
    return sorted(entry.cost for entry in simulator.ledger if entry.cost)


class Running:
    """A program that was started; its output is read as it comes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid = process.pid
        self._said = {"stdout": b"", "stderr": b""}
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._said
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = getattr(self.process, name)
        while piece := stream.read1():
            with self._changed:
                self._said[name] += piece
                self._changed.notify_all()

    @property
    def stdout(self) -> str:
        return self._said["stdout"].decode()

    @property
    def stderr(self) -> str:
        return self._said["stderr"].decode()

    def wait_for(self, text: str, of: str = "stdout") -> str:
        """The line with ``text`` in it, once it was said whole."""

        def line() -> str | None:
            *lines, _ = self._said[of].decode().split("\n")
            return next((line for line in lines if text in line), None)

        with self._changed:
            found = self._changed.wait_for(line, 30)
        assert found, self._said
        return found

    def end(self) -> int:
        """Its exit code, once it has ended and all its output was read."""
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(30)
        return code

    def close(self) -> None:
        """Leave nothing behind, whatever became of the test."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@contextmanager
def started(*command: str | Path, env: dict[str, str], cwd: Path, **more: int) -> Iterator[Running]:
    """Run a program with pipes; it is killed if the test leaves it running."""
    running = Running(
        subprocess.Popen(
            [str(part) for part in command],
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )
    )
    try:
        yield running
    finally:
        running.close()


class Terminal:
    """A program in the foreground of a terminal of its own; its input, output and keys."""

    # A session of its own, which the terminal controls.
    _SETUP = (
        "import fcntl, os, sys, termios\n"
        "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )

    def __init__(self, *command: str | Path, env: dict[str, str], cwd: Path) -> None:
        self._ours, theirs = os.openpty()
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._SETUP, *map(str, command)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            cwd=cwd,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> str:
        """The line with ``text`` in it, once it was said whole."""
        while True:
            *lines, _ = self.said.split("\n")
            if found := [line for line in lines if text in line]:
                return found[0].strip()
            assert self._read(), self.said

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> int:
        """Its exit code, once it has ended and all its output was read."""
        while self._read():
            pass
        return self.process.wait(30)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 30)[0]:
            return False
        try:
            piece = os.read(self._ours, 10_000)
        except OSError:  # the other end is closed
            return False
        self.said += piece.decode()
        return bool(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        os.close(self._ours)
