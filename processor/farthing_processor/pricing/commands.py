"""The commands of ``farthing prices``: one row of `COMMANDS` each."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from io import TextIOWrapper
from typing import Final, NamedTuple

from farthing_processor.pricing import exchanging, inspecting, rules_file
from farthing_processor.pricing.rules import Rule


class Command(NamedTuple):
    """One command."""

    says: str
    arguments: Callable[[argparse.ArgumentParser], None]
    """Adds what it takes to its parser."""
    run: Callable[[argparse.Namespace], int]
    """Does it; returns the exit code: 0 fine, 1 something is wrong, 2 bad input."""


def main(argv: list[str]) -> int:
    """Run one of `COMMANDS`; returns its exit code."""
    parser = argparse.ArgumentParser(prog="farthing prices", description="What prices are used.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.says, description=command.says)
        command.arguments(own)
        own.set_defaults(run=command.run)
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # What a terminal cannot show is shown as its escape.
            stream.reconfigure(errors="backslashreplace")
    return arguments.run(arguments)


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the TOML file that FARTHING_PRICES names")


def _check(arguments: argparse.Namespace) -> int:
    path: str = arguments.file
    loaded = rules_file.load(path)
    sys.stdout.write("".join(f"{path}, {says}\n" for says in loaded.says))
    problems = [*loaded.problems, *_lost(path, loaded.rules)]
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    if problems:
        return 1 if loaded.rules else 2
    return 0


def _lost(path: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    """Rules whose price is that of a model which the table does not have."""
    for rule in rules:
        provider, model = rule.alias or (None, "")
        if provider is None:
            continue
        card = rule.card((provider, model, "", False, "", ""), time.time_ns())
        if card.unpriced or not card.match:
            yield (
                f"{path}, line {rule.line}: The table has no price for {model!r} of {provider!r}, "
                "so calls that this rule covers have none. Correct alias, or give rates."
            )


COMMANDS: Final[Mapping[str, Command]] = {
    "show": Command(
        "show the rates of a model, when they hold, and the source of each",
        inspecting.show_arguments,
        inspecting.show,
    ),
    "search": Command("find models", inspecting.search_arguments, inspecting.search),
    "diff": Command("compare two tables", exchanging.diff_arguments, exchanging.diff),
    "export": Command("print the whole table", exchanging.export_arguments, exchanging.export),
    "update": Command("use a newer table", exchanging.update_arguments, exchanging.update),
    "check": Command("check a file with your own prices", _check_arguments, _check),
}
