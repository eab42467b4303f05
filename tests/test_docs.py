"""The README says what the code does."""

from __future__ import annotations

import ast
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


def test_imports_run_one_way() -> None:
    """farthing → farthing_processor ← farthing_dashboards; only the command may use all three.

    The sample agent is a user: it uses what users do.
    """
    allowed = {
        "farthing": {"farthing", "farthing_processor"},
        "farthing_processor": {"farthing_processor"},
        "farthing_dashboards": {"farthing_dashboards", "farthing_processor"},
    }
    for package, may in allowed.items():
        (folder,) = ROOT.glob(f"*/{package}")
        for path in folder.rglob("*.py"):
            if path.name == "cli.py" or path.parent.name == "agent":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    modules = [name.name for name in node.names]
                elif isinstance(node, ast.ImportFrom):
                    modules = [node.module or ""]
                else:
                    continue
                roots = {module.partition(".")[0] for module in modules}
                assert roots & set(allowed) <= may, path
                assert not roots & {"openai", "anthropic"}, path
