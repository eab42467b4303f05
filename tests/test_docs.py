"""The README says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_tables_are_the_codes() -> None:
    script = ROOT / "scripts" / "make_docs.py"
    run = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


def test_every_name_in_the_readme_is_one_that_is_emitted() -> None:
    readme = (ROOT / "README.md").read_text()
    sources = "".join(
        (ROOT / "processor" / "farthing_processor" / name).read_text()
        for name in ("semconv.py", "metrics.py", "settings.py")
    )
    for name in set(re.findall(r"`((?:gen_ai|farthing)\.[a-z_.]+[a-z])`", readme)):
        assert name in sources or name.rpartition(".")[2] in sources, name
    for name in set(re.findall(r"\bFARTHING_[A-Z_]+\b", readme)):
        assert name in sources, name


def test_every_file_of_ours_is_small_and_says_what_it_is_for() -> None:
    for package in ("instrumentation", "processor", "dashboards"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            assert text.startswith('"""'), path
            assert len(text.splitlines()) <= 400, path
