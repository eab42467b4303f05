"""The ``farthing`` command. The one module that may import all packages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from farthing.telemetry import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 fine, 1 something is wrong, 2 bad input."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in _COMMANDS:
        # Each command reads its own arguments, so that only the one that runs is imported.
        run, _ = _COMMANDS[given[0]]
        try:
            return run(given[1:])
        except KeyboardInterrupt:
            return 130
    parser = argparse.ArgumentParser(
        prog="farthing", description="What every step of your LLM agents costs."
    )
    parser.add_argument("--version", action="version", version=f"farthing {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, says) in _COMMANDS.items():
        commands.add_parser(name, help=says)
    parser.parse_args(given)  # help, the version, or what is wrong
    return 2


_PRICE = """\
Price one JSON object, or a list of them, read from standard input:

  {"provider": "openai", "api": "chat.completions", "model": "gpt-4o",
   "usage": {"prompt_tokens": 2006, "completion_tokens": 300}}

provider   openai, anthropic, azure.ai.openai … (gen_ai.provider.name)
api        chat.completions, responses, embeddings, images, batch, messages …
model      the model that answered
usage      the usage object of the response, as the provider sent it
timestamp  when the call was made (ISO 8601); without it, now
context    what else of the call changes its price, an object with any of
"""


def _price(argv: list[str]) -> int:
    from farthing_processor import settings
    from farthing_processor.pricing import explain, rules

    width = max(map(len, explain.CONTEXT))
    keys = [f"             {name:<{width}}  {key.says}" for name, key in explain.CONTEXT.items()]
    parser = argparse.ArgumentParser(
        prog="farthing price",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_PRICE + "\n".join(keys),
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per input object")
    parser.add_argument(
        "--explain", action="store_true", help="say what decided each price, and who says so"
    )
    arguments = parser.parse_args(argv)
    for problem in rules.use_file(settings.load()[0].prices):
        sys.stderr.write(f"farthing price: {problem}\n")
    if sys.stdin.isatty():
        sys.stderr.write(
            "Type or paste JSON, then press Ctrl-D. farthing price --help says what.\n"
        )
    code, out, err = explain.main(
        sys.stdin.buffer.read(), as_json=arguments.json, why=arguments.explain
    )
    encoding = sys.stdout.encoding
    sys.stdout.write(out.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.write(err)
    return code


def _prices(argv: list[str]) -> int:
    from farthing_processor.pricing import commands

    return commands.main(argv)


def _doctor(argv: list[str]) -> int:
    argparse.ArgumentParser(prog="farthing doctor", description=_DOCTOR).parse_args(argv)
    from farthing import doctor
    from farthing_dashboards.running import place

    findings = [*doctor.examine(), doctor.Finding(*place.state())]
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    return 0 if all(finding.well for finding in findings) else 1


def _run(argv: list[str]) -> int:
    from farthing_dashboards.running import run

    return run.main(argv, Path(__file__).parent / "site")


def _ui(argv: list[str]) -> int:
    from farthing_dashboards.running import ui

    return ui.main(argv)


def _report(argv: list[str]) -> int:
    from farthing_dashboards.running import report

    return report.main(argv)


def _dashboards(argv: list[str]) -> int:
    from farthing_dashboards.grafana import export

    return export.main(argv)


def _demo(argv: list[str]) -> int:
    from farthing_dashboards import demo

    return demo.main(argv)


_DOCTOR = "check that this environment records, prices and exports calls"
_COMMANDS: Mapping[str, tuple[Callable[[list[str]], int], str]] = {
    "run": (_run, "run a program and say what its calls cost"),
    "ui": (_ui, "show the page of what calls cost"),
    "report": (_report, "write what calls cost as text, HTML or JSON"),
    "price": (_price, "price usage given on standard input, as the provider's JSON"),
    "prices": (_prices, "show, search, compare and update the price table; check your own prices"),
    "doctor": (_doctor, _DOCTOR),
    "dashboards": (_dashboards, "write the Grafana dashboards and Prometheus rules to a folder"),
    "demo": (_demo, "run a sample agent against a simulated provider and show what it cost"),
}

if __name__ == "__main__":
    sys.exit(main())
