"""Write the tables of the documentation that derive from code; with `--check`, only compare."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from farthing_processor.dialects import DIALECTS, Dialect
from farthing_processor.metrics import CATALOGUE
from farthing_processor.settings import SEMCONV_CHOICES, VARIABLES

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "other-tracers.md")


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


def dialects() -> str:
    by_name: dict[str, list[Dialect]] = {}
    for dialect in DIALECTS:
        if dialect.scopes:
            by_name.setdefault(dialect.name, []).append(dialect)
    rows = [
        (
            f"`{name}`",
            ", ".join(dict.fromkeys(f"`{p}`" for one in those for p in one.packages)),
            ", ".join(dict.fromkeys(f"`{scope}`" for one in those for scope in one.scopes)),
            "itself" if those[0].records_tokens else "farthing",
        )
        for name, those in sorted(by_name.items())
    ]
    head = ("`farthing.cost.dialect`", "Python packages", "instrumentation scopes", "token metrics")
    return table(head, rows)


def under(choices: Iterable[str]) -> str:
    named = (f"`{choice}`" for choice in SEMCONV_CHOICES if choice in choices)
    return f"With {' or '.join(named)}."


def written(text: str) -> str:
    for name, content in (
        ("settings", settings()),
        ("metrics", metrics()),
        ("dialects", dialects()),
    ):
        text = re.sub(
            rf"<!-- {name} -->.*?<!-- /{name} -->",
            lambda _match, n=name, c=content: f"<!-- {n} -->\n{c}\n<!-- /{n} -->",
            text,
            flags=re.DOTALL,
        )
    return text


def main() -> int:
    behind = 0
    for page in PAGES:
        before = page.read_text()
        after = written(before)
        if "--check" not in sys.argv:
            page.write_text(after)
        elif after != before:
            print(f"{page.name} is behind the code: run python scripts/make_docs.py")
            behind = 1
    return behind


if __name__ == "__main__":
    sys.exit(main())
