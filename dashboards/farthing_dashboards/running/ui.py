"""``farthing ui``: the page over the store, and an OTLP endpoint for whatever runs beside it."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence

from farthing_dashboards.page.server import PageServer
from farthing_dashboards.running import place
from farthing_dashboards.running.run import port
from farthing_dashboards.running.showing import open_browser, until_interrupted
from farthing_dashboards.store import Store, StoreError

PORT = 4318
"""Where OTLP/HTTP exporters send to when nobody tells them otherwise."""


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl-C, which is 0; 1 when the store or the port cannot be used."""
    parser = argparse.ArgumentParser(
        prog="farthing ui",
        description="Show the page of what calls cost, and take in OTLP/HTTP at the same address.",
    )
    parser.add_argument("--port", type=port, help=f"else {PORT}, or any free one")
    parser.add_argument("--store", metavar="FILE", help="the store (FARTHING_STORE)")
    parser.add_argument("--no-browser", action="store_true", help="open none")
    options = parser.parse_args(argv)
    path = place.place(options.store)
    try:
        with (
            until_interrupted() as wait,
            place.opened(path) as store,
            _server(store, options.port) as server,
        ):
            sys.stdout.write(
                f"{server.url} shows {path}.\n"
                "OTLP exporters can send to the same address (http/protobuf or http/json). "
                "Ctrl-C ends it.\n"
            )
            sys.stdout.flush()
            if not options.no_browser:
                open_browser(server.url)
            wait()
    except StoreError as error:
        return _fail(f"{error}")
    except OSError as error:
        return _fail(f"Port {options.port} cannot be used ({error.strerror}): choose another one.")
    return 0


def _server(store: Store, port: int | None) -> PageServer:
    try:
        return PageServer(store, port=PORT if port is None else port)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"Port {PORT} is taken, so another one is used.\n")
        return PageServer(store)


def _fail(sentence: str) -> int:
    sys.stderr.write(f"farthing ui: {sentence}\n")
    return 1
