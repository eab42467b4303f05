"""Write the rules for Prometheus from their tables; with `--check`, only compare."""

from __future__ import annotations

import sys
from pathlib import Path

from farthing_dashboards.grafana import rules

FILE = Path(rules.__file__).parent / "files" / "rules.yaml"


def main() -> int:
    text = rules.text()
    if "--check" not in sys.argv:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print(f"{FILE.name} is behind the code: run python scripts/make_rules.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
