"""Write the dashboards for Grafana from their code; with `--check`, only compare."""

from __future__ import annotations

import sys
from pathlib import Path

from farthing_dashboards import grafana
from farthing_dashboards.grafana import boards

FOLDER = Path(grafana.__file__).parent / "files"


def main() -> int:
    behind = 0
    made = boards.files()
    for gone in {path.name for path in FOLDER.glob("*.json")} - set(made):
        print(f"{gone} is no dashboard any more: remove it")
        behind = 1
    for name, text in made.items():
        file = FOLDER / name
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"{name} is behind the code: run python scripts/make_dashboards.py")
            behind = 1
    return behind


if __name__ == "__main__":
    sys.exit(main())
