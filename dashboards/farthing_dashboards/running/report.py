"""``farthing report``: what the page shows, as text, as JSON or as one HTML file."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from farthing_dashboards.running import place
from farthing_dashboards.running.showing import is_terminal
from farthing_dashboards.store import StoreError, open_for_reading
from farthing_dashboards.view.filters import NAMES, Asked
from farthing_dashboards.view.page import page, people
from farthing_dashboards.view.period import stored
from farthing_dashboards.view.text import as_text
from farthing_dashboards.view.trace import trace

_SLOW_S = 1.0


def main(argv: Sequence[str]) -> int:
    """Write the report; 0 when it is written, 1 when it cannot be, 2 for what makes no sense."""
    parser = argparse.ArgumentParser(
        prog="farthing report",
        description="Say what calls cost, from the store. The same store gives the same report,"
        " byte for byte: its time ends with the newest telemetry in it.",
    )
    parser.add_argument("--since", help="how far back: 15m, 6h, 30d … or all")
    for name in NAMES:
        parser.add_argument(f"--{name}", help=f"of this {name} alone")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--html", metavar="FILE", help="write one HTML file; - is standard output")
    forms.add_argument("--json", action="store_true", help="print JSON, money as exact strings")
    parser.add_argument("--store", metavar="FILE", help="the store (FARTHING_STORE)")
    options = vars(parser.parse_args(argv))
    query = {name: options[name] for name in ("since", *NAMES) if options[name] is not None}
    try:
        asked = Asked.of(query)
    except ValueError as error:
        return _fail(f"{error}", 2)
    try:
        with (
            _progress(),
            open_for_reading(place.place(options["store"])) as store,
            store.reading() as connection,
        ):
            written = _written(connection, asked, options)
    except StoreError as error:
        return _fail(f"{error}", 1)
    except sqlite3.Error as error:
        return _fail(f"The store cannot be read ({error}): try again, or give another file.", 1)
    try:
        _write(written, options["html"])
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(
            f"{options['html'] or 'The report'} cannot be written ({error.strerror}): give the path"
            " of another file.",
            1,
        )
    return 0


def _written(connection: sqlite3.Connection, asked: Asked, options: Mapping[str, Any]) -> str:
    _, now_ns = stored(connection)
    view, those = page(connection, asked, now_ns), people(connection, asked, now_ns)
    if options["json"]:
        return json.dumps(view | those, indent=2) + "\n"
    if options["html"] is None:
        return as_text(view | those)
    # Imported here: it reads the page's files.
    from farthing_dashboards.page.report import report_html

    ids = dict.fromkeys(call["trace_id"] for call in view["dearest"])
    traces = (trace(connection, id) for id in ids)
    return report_html(view, those, [found for found in traces if found is not None])


def _write(text: str, html: str | None) -> None:
    if html is not None and html != "-":
        Path(html).write_bytes(text.encode())
    elif html == "-":
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        encoding = sys.stdout.encoding
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


@contextlib.contextmanager
def _progress() -> Generator[None]:
    """Say that it goes on, on a terminal, when it takes over a second."""
    timer = threading.Timer(_SLOW_S, lambda: _say("Reading the store …"))
    timer.daemon = True
    if is_terminal(sys.stderr):
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def _fail(sentence: str, exit_code: int) -> int:
    _say(f"farthing report: {sentence}")
    return exit_code
