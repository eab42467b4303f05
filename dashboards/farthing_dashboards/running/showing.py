"""Showing the page: in a browser where there is a display, and until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import TextIO


def command(*arguments: str) -> str:
    """What to type to run ``farthing`` again."""
    own = "farthing" if shutil.which("farthing") else os.path.relpath(sys.argv[0])
    if not os.path.basename(own).startswith("farthing"):
        own = f"{sys.executable} -m farthing.cli"
    return " ".join([own, *map(shlex.quote, arguments)])


def show(path: Path, *, browser: bool = True) -> None:
    """Show the page of the store at ``path`` until Ctrl-C, where somebody sees it; else say how."""
    if not (browser and has_display() and is_terminal(sys.stdout)):
        sys.stderr.write(f"\n{command('ui', '--store', str(path))} shows it as a page.\n")
        return
    from farthing_dashboards.page.server import PageServer
    from farthing_dashboards.store import Store

    with until_interrupted() as wait, Store(path) as store, PageServer(store) as server:
        sys.stderr.write(f"\n{server.url} shows it as a page, until Ctrl-C.\n")
        open_browser(server.url)
        wait()


def is_terminal(*streams: TextIO | None) -> bool:
    """Whether a person sits at all of them; a stream that was closed is None."""
    return all(stream is not None and stream.isatty() for stream in streams)


def has_display() -> bool:
    """Whether a browser could be seen: no text browser takes over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str) -> None:
    """Open ``url`` where there is a display; returns at once."""
    if not has_display():
        return
    with contextlib.suppress(OSError):
        # A browser of its own session holds neither our terminal, nor our pipes, nor our Ctrl-C.
        subprocess.Popen(
            [sys.executable, "-m", "webbrowser", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


@contextlib.contextmanager
def until_interrupted() -> Generator[Callable[[], None]]:
    """A function that waits for Ctrl-C, or for being told to end, since this was entered."""
    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    def wait() -> None:
        while not over.wait(3600):
            pass

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
