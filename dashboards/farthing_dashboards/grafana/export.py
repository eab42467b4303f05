"""``farthing dashboards export``: dashboards and rules as files, in the naming one asks for."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any, Final

from farthing_dashboards.grafana.names import NAMINGS, Naming, relabelled, renamed

DASHBOARDS: Final = "dashboards"
RULES: Final = "rules"
"""The folders that are written: Grafana is told of one, Prometheus of the other."""

_SAYS: Final = "Write the dashboards for Grafana, and the recording and alert rules for Prometheus."
_NAMING: Final = """\
how your Prometheus names what it gets by OTLP, its translation_strategy: suffixed is its default \
(UnderscoreEscapingWithSuffixes), plain is UnderscoreEscapingWithoutSuffixes, utf8 NoTranslation, \
utf8-suffixed NoUTF8EscapingWithSuffixes"""
_BUDGET: Final = "what may be spent in 24 hours, such as 250: with it there are alerts of a budget"


def main(argv: list[str]) -> int:
    """Run ``farthing dashboards``; returns the exit code: 0 fine, 1 not written, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="farthing dashboards", description="Dashboards for Grafana and rules for Prometheus."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    export = commands.add_parser("export", help="write them as files", description=_SAYS)
    export.add_argument("folder", metavar="DIR", type=Path, help="where to write; made if need be")
    export.add_argument("--naming", choices=NAMINGS, default=NAMINGS[0], help=_NAMING)
    export.add_argument("--daily-budget", metavar="USD", type=_amount, help=_BUDGET)
    export.add_argument(
        "--force", action="store_true", help="overwrite files that are there and differ"
    )
    arguments = parser.parse_args(argv)
    folder: Path = arguments.folder
    try:
        return _write(folder, files(arguments.naming, arguments.daily_budget), arguments.force)
    except OSError as error:
        return _refused(f"{error.filename or folder} cannot be written: {error.strerror}.", 1)


def files(naming: Naming, daily_usd: Decimal | None = None) -> dict[str, str]:
    """What is exported, by path: dashboards, rules, and those of a budget in USD if there is one.

    Raises:
        ValueError: the budget is no amount above 0.
    """
    from farthing_dashboards.grafana import budget, rules

    shipped = resources.files("farthing_dashboards.grafana") / "files"
    found = {
        f"{DASHBOARDS}/{file.name}": translated(file.read_text(encoding="utf-8"), naming)
        for file in shipped.iterdir()
        if file.name.endswith(".json")
    }
    found[f"{RULES}/farthing.yaml"] = rules.text(naming)
    if daily_usd is not None:
        found[f"{RULES}/farthing-budget.yaml"] = budget.budget_rules(daily_usd, naming)
    return dict(sorted(found.items()))


def translated(dashboard: str, naming: Naming) -> str:
    """The JSON of a dashboard in the `suffixed` naming, in another one."""
    if naming == "suffixed":
        return dashboard

    def as_named(found: dict[str, Any]) -> dict[str, Any]:
        return {relabelled(key, naming): _text(key, value, naming) for key, value in found.items()}

    made = json.loads(dashboard, object_hook=as_named)
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _text(key: str, value: Any, naming: Naming) -> Any:
    """What a key of a dashboard says: PromQL, a legend with labels in it, or nothing of both."""
    if key in _EXPRESSIONS and isinstance(value, str):
        return renamed(value, naming)
    if key == "legendFormat":
        return re.sub(r"\w+", lambda found: relabelled(found[0], naming), value)
    return value


_EXPRESSIONS: Final = frozenset({"expr", "query"})
"""Keys whose text is PromQL. The query of a variable for data sources is their type, which is the
name of no series."""


def _write(folder: Path, texts: Mapping[str, str], overwrite: bool) -> int:
    if folder.exists() and not folder.is_dir():
        return _refused(f"{folder} is a file: name a directory to write to.", 2)
    differ = [
        name
        for name, text in texts.items()
        if (folder / name).exists() and (folder / name).read_bytes() != text.encode()
    ]
    if differ and not overwrite:
        return _refused(
            f"{folder} has other versions of {', '.join(differ)}: name another directory, or "
            "overwrite them with --force. Nothing was written.",
            1,
        )
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    boards = sum(name.startswith(DASHBOARDS) for name in texts)
    rules = [str(folder / name) for name in texts if name.startswith(RULES)]
    sys.stdout.write(
        f"Wrote {boards} dashboards to {folder / DASHBOARDS} and the rules {', '.join(rules)}.\n"
        "Next: import the dashboards in Grafana (Dashboards > New > Import) or provision their "
        "directory, and name the rules under rule_files in prometheus.yml.\n"
    )
    return 0


def _refused(why: str, code: int) -> int:
    sys.stderr.write(f"farthing dashboards export: {why}\n")
    return code


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of USD above 0, such as 250")
    return amount
