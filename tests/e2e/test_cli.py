"""The `farthing` command as a person or a script calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from farthing_processor.pricing.explain import CONTEXT
from tests.e2e.conftest import BIN

CASE = {
    "provider": "openai",
    "api": "chat.completions",
    "model": "gpt-4o-2024-08-06",
    "timestamp": "2026-11-20T12:00:00Z",
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "prompt_tokens_details": {"cached_tokens": 1920},
    },
}


def farthing(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "farthing", *arguments], input=given, capture_output=True, text=True, check=False
    )


def test_price_for_a_person() -> None:
    result = farthing("price", given=json.dumps(CASE))
    assert (result.returncode, result.stderr) == (0, "")
    assert "1,920 x $1.25/M" in result.stdout
    assert "$0.005615" in result.stdout


def test_price_for_a_script() -> None:
    unknown = CASE | {"model": "gpt-9-unreleased"}
    result = farthing("price", "--json", given=json.dumps([CASE, unknown]))
    priced, unpriced = (json.loads(line) for line in result.stdout.splitlines())
    assert priced["usd"] == "0.005615"
    assert priced["status"] == "priced"
    assert priced["classes"] == {"input": "0.000215", "cache_read": "0.0024", "output": "0.003"}
    assert "genai-prices" in priced["prices"]
    assert (unpriced["usd"], unpriced["status"]) == (None, "unpriced")


def test_price_of_a_malformed_object() -> None:
    for given in ("{", "7", json.dumps({"provider": "openai"})):
        result = farthing("price", "--json", given=given)
        assert result.returncode == 2
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("farthing price: ")


def test_price_names_a_context_it_does_not_know() -> None:
    result = farthing("price", given=json.dumps(CASE | {"context": {"moon": "full"}}))
    assert result.returncode == 0
    assert "'moon'" in result.stderr


def test_the_help_lists_every_context_that_is_understood() -> None:
    shown = farthing("price", "--help").stdout
    assert [key for key in CONTEXT if key not in shown] == []


def test_price_prints_what_the_terminal_cannot_show() -> None:
    for name in ("\ud800", "mod\u00e8le"):
        result = subprocess.run(
            [BIN / "farthing", "price"],
            input=json.dumps(CASE | {"model": name}).encode(),
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, b"")
        assert name.encode("unicode_escape") in result.stdout


def test_price_reads_utf_8_with_or_without_a_mark_and_nothing_else() -> None:
    def price(given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [BIN / "farthing", "price", "--json"], input=given, capture_output=True, check=False
        )

    assert json.loads(price(json.dumps(CASE).encode("utf-8-sig")).stdout)["usd"] == "0.005615"
    result = price(json.dumps(CASE).encode() + b"\xff")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"farthing price: the input is not UTF-8")
    assert len(result.stderr.splitlines()) == 1


def test_only_price_imports_the_prices() -> None:
    script = (
        "import sys; from farthing.cli import main\n"
        "try: main(['doctor', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'farthing_processor.pricing.explain' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_usage_errors_are_one_sentence() -> None:
    result = farthing("price", "--jsn")
    assert result.returncode == 2
    assert "--jsn" in result.stderr
    assert farthing().returncode == 2


def test_version_and_help() -> None:
    assert farthing("--version").stdout.startswith("farthing 0.")
    assert "price" in farthing("--help").stdout


def test_the_library_does_not_import_the_dashboards() -> None:
    script = (
        "import sys, farthing; farthing.instrument();"
        "assert not [m for m in sys.modules if m.startswith('farthing_dashboards')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
