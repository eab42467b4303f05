"""The ``farthing`` command: price, doctor, demo. The one module that may import all packages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from farthing.telemetry import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 fine, 1 something is wrong, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="farthing", description="What every step of your LLM agents costs."
    )
    parser.add_argument("--version", action="version", version=f"farthing {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    price = commands.add_parser(
        "price",
        help="price usage given on standard input, as the provider's JSON",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_PRICE,
    )
    price.add_argument("--json", action="store_true", help="one JSON object per input object")

    commands.add_parser(
        "doctor", help="check that this environment records, prices and exports calls"
    )
    commands.add_parser(
        "demo",
        help="run a sample agent against a simulated provider and show what it cost",
        add_help=False,
    )

    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.command != "demo":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    return _COMMANDS[arguments.command](arguments, rest)


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
             response.service_tier                          the tier that served it
             response.tool_usage.web_search.num_requests    billable searches
             response.output[].web_search_call.action.type  a list, where that is not given
             response.output[].file_search_call             how many file searches
             response.tool_usage.image_gen                  usage of the image tool
             response.tools[].image_generation.model        and its model
             processing                                     batch
             server.address                                 the host that served it
"""


def _price(arguments: argparse.Namespace, _rest: list[str]) -> int:
    from farthing_processor.pricing import explain

    if sys.stdin.isatty():
        sys.stderr.write(
            "Type or paste JSON, then press Ctrl-D. farthing price --help says what.\n"
        )
    code, out, err = explain.main(sys.stdin.read(), as_json=arguments.json)
    sys.stdout.write(out)
    sys.stderr.write(err)
    return code


def _doctor(_arguments: argparse.Namespace, _rest: list[str]) -> int:
    from farthing import doctor

    findings = doctor.examine()
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    return 0 if all(finding.well for finding in findings) else 1


def _demo(_arguments: argparse.Namespace, rest: list[str]) -> int:
    from farthing_dashboards import demo

    return demo.main(rest)


_COMMANDS = {"price": _price, "doctor": _doctor, "demo": _demo}

if __name__ == "__main__":
    sys.exit(main())
