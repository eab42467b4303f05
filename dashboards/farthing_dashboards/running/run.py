"""``farthing run``: a program, its telemetry in the local store, and what it spent."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from farthing_dashboards.loopback import LoopbackServer
from farthing_dashboards.receiver import MAX_BODY, OtlpServer
from farthing_dashboards.running import place, program
from farthing_dashboards.running.environment import environment, partly, why_nothing
from farthing_dashboards.running.showing import (
    command,
    is_terminal,
    open_browser,
    until_interrupted,
)
from farthing_dashboards.running.tally import Tally
from farthing_dashboards.store import StoreError

_DESCRIPTION = """\
Run any program with its calls to models recorded in the store on your disk, and say what they cost.

  farthing run python app.py
  farthing run --ui pytest tests/

Nothing in the program changes; its input, output, signals and exit code are its own. Backends that
OpenTelemetry's variables, a configuration file or its own code send to keep receiving.
"""


def main(argv: Sequence[str], site: Path) -> int:
    """Run a program; its exit code. 1: it was not started; 126, 127: it cannot be.

    ``site`` is the folder whose ``sitecustomize`` has the calls of a Python recorded.
    """
    parser = argparse.ArgumentParser(
        prog="farthing run",
        usage="%(prog)s [--ui] [--port N] [--store FILE] [--] COMMAND ...",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ui", action="store_true", help="serve the page while the program runs")
    parser.add_argument(
        "--port", type=port, default=0, help="where to take in OTLP; else any free port"
    )
    parser.add_argument("--store", metavar="FILE", help="the store (FARTHING_STORE)")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    options = parser.parse_args(argv)
    asked: list[str] = options.command
    if asked[:1] == ["--"]:
        asked = asked[1:]
    if not asked:
        parser.error("say which program to run, as in farthing run python app.py")
    try:
        with contextlib.ExitStack() as lasting:
            store = lasting.enter_context(place.opened(place.place(options.store)))
            tally = Tally(store)
            # The summary says it: the terminal is the program's meanwhile.
            logging.getLogger("farthing_dashboards").addHandler(logging.NullHandler())
            server = lasting.enter_context(_server(tally, options.port, page=options.ui))
            folder = lasting.enter_context(tempfile.TemporaryDirectory(prefix="farthing-"))
            report = Path(folder, "pythons")
            report.touch()
            given = environment(os.environ, asked, server.url, report, site)
            return _run(asked, options, tally, server, given, report)
    except StoreError as error:
        return _fail(f"{error}")
    except program.NotStarted as error:
        return _fail(f"{error}", error.exit_code)


def _run(
    asked: Sequence[str],
    options: argparse.Namespace,
    tally: Tally,
    server: LoopbackServer,
    given: Mapping[str, str],
    report: Path,
) -> int:
    if options.ui:
        _say(f"farthing: {server.url} shows what it spends.\n")
        open_browser(server.url)
    exit_code = program.run(asked, given)
    stays = options.ui and is_terminal(sys.stdin, sys.stderr)
    if not stays:
        server.close()  # what is arriving still comes in
    if tally.fault:
        _say(f"farthing: not all could be stored at once, and some may be lost: {tally.fault}\n")
    if said := partly(os.environ):
        _say(f"farthing: {said}\n")
    if found := tally.summary():
        elsewhere = ("--store", options.store) if options.store else ()
        _say(f"{found}See more: {command('ui', *elsewhere)}\n")
    elif not tally.fault:
        _say(f"farthing: no call arrived. {why_nothing(os.environ, report)}\n")
    if stays:
        with until_interrupted() as wait:
            _say(f"farthing: {server.url} stays until Ctrl-C.\n")
            wait()
    return exit_code


def port(text: str) -> int:
    """A port that is given on the command line."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def _server(tally: Tally, port: int, *, page: bool) -> LoopbackServer:
    try:
        if not page:
            return OtlpServer(tally, port, MAX_BODY)
        # Imported here: it reads the page's files, which most runs do not serve.
        from farthing_dashboards.page.server import PageServer

        return PageServer(tally, port=port)
    except OSError as error:
        raise program.NotStarted(
            1, f"Port {port} cannot be used ({error.strerror}): choose another one."
        ) from error


def _say(text: str) -> None:
    """On standard error: standard output is the program's. One that is closed hears nothing."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _fail(sentence: str, exit_code: int = 1) -> int:
    _say(f"farthing run: {sentence}\n")
    return exit_code
