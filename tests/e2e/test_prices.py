"""`farthing prices` and the kept table, as a shell and an application meet them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from farthing_dashboards.receiver import Collected, Receiver
from farthing_processor import semconv as names
from tests.e2e.conftest import BIN, Run
from tests.processor.test_refresh import edited, input_of


def farthing(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "farthing", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"} | variables,
    )


def test_an_application_prices_by_the_table_that_was_kept(
    run: Run, receiver: Receiver, collected: Collected, tmp_path: Path
) -> None:
    new = tmp_path / "new.jsonl"
    new.write_text(edited({"openai/gpt-4o-mini": input_of("0.1")}))
    kept = str(tmp_path / "kept.jsonl")
    updated = farthing("prices", "update", str(new), FARTHING_PRICES_TABLE=kept)
    assert updated.returncode == 0, updated.stderr
    doctor = farthing("doctor", FARTHING_PRICES_TABLE=kept)
    assert f"The price table genai-prices 0.3.0 ({kept}) is " in doctor.stdout
    run(
        FARTHING_PRICES_TABLE=kept,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    spans = [span for span in collected.spans if names.COST_PRICES in span.attributes]
    assert {span.attributes[names.COST_PRICES] for span in spans} == {"genai-prices 0.3.0"}


def test_the_doctor_says_what_is_wrong_with_a_kept_table(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text("broken")
    doctor = farthing("doctor", FARTHING_PRICES_TABLE=str(kept))
    assert f"FIX  The price table {kept} cannot be used" in doctor.stdout
    assert "(shipped with farthing)" in doctor.stdout


def test_a_program_that_asks_for_no_refresh_has_no_thread_and_imports_none_of_it() -> None:
    script = """
import sys, threading, farthing
farthing.instrument()
from farthing_processor.pricing import price
from farthing_processor.usage import Usage
assert price(Usage(1, 1), provider="openai", model="gpt-4o", at_ns=1).usd
assert threading.active_count() == 1, threading.enumerate()
for name in ("refresh", "background", "comparing", "published", "inspecting", "exchanging"):
    assert f"farthing_processor.pricing.{name}" not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_program_that_asks_for_it_swaps_while_it_runs(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror.jsonl"
    mirror.write_text(edited({"openai/gpt-4o": input_of("2")}))
    script = """
import threading, time, farthing
from farthing_processor.pricing import background, prices_version
background.FIRST_S = 0
farthing.instrument()
(thread,) = [each for each in threading.enumerate() if each.name == "farthing-prices"]
until = time.monotonic() + 30
while prices_version() != "genai-prices 0.3.0" and time.monotonic() < until:
    time.sleep(0.01)
print(prices_version())
farthing.uninstrument()
thread.join(30)
print(thread.is_alive())
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"FARTHING_PRICES_REFRESH": str(mirror)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.splitlines() == ["genai-prices 0.3.0", "False"]


def test_a_refresh_over_http_is_refused_in_one_sentence() -> None:
    script = "import farthing, threading; farthing.instrument(); print(threading.active_count())"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"FARTHING_PRICES_REFRESH": "http://host/prices.json"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "1\n"
    assert "use an https URL or a file" in ran.stderr


def test_what_a_pipe_gets_is_json() -> None:
    shown = farthing("prices", "show", "gpt-4o", "--json", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert {json.loads(line)["prices"] for line in shown.stdout.splitlines()} == {
        "genai-prices 0.2.3"
    }
