"""Write the tables of README.md that derive from code; with `--check`, only compare."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from farthing_processor.metrics import CATALOGUE
from farthing_processor.settings import SEMCONV_CHOICES, VARIABLES

README = Path(__file__).parent.parent / "README.md"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def settings() -> str:
    rows = [
        (f"`{variable}`", f"`{name}`", f"`{shown(default)}`" if default else "", meaning)
        for variable, name, default, meaning in VARIABLES
    ]
    return table(("variable", "in code and file", "default", "meaning"), rows)


def shown(default: object) -> str:
    return ", ".join(default) if isinstance(default, frozenset) else str(default)


def metrics() -> str:
    rows = [
        (
            f"`{metric.name}`",
            metric.kind,
            f"`{metric.unit}`",
            metric.description
            + ("" if metric.choices == set(SEMCONV_CHOICES) else f" {under(metric.choices)}"),
        )
        for metric in CATALOGUE
    ]
    return table(("metric", "kind", "unit", "what it says"), rows)


def under(choices: Iterable[str]) -> str:
    named = (f"`{choice}`" for choice in SEMCONV_CHOICES if choice in choices)
    return f"With {' or '.join(named)}."


def written(text: str) -> str:
    for name, content in (("settings", settings()), ("metrics", metrics())):
        text = re.sub(
            rf"<!-- {name} -->.*?<!-- /{name} -->",
            lambda _match, n=name, c=content: f"<!-- {n} -->\n{c}\n<!-- /{n} -->",
            text,
            flags=re.DOTALL,
        )
    return text


def main() -> int:
    before = README.read_text()
    after = written(before)
    if "--check" in sys.argv:
        if after != before:
            print("README.md is behind the code: run python scripts/make_docs.py")
        return int(after != before)
    README.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
