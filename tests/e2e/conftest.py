"""An application that knows nothing of farthing, and the ways to run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farthing_dashboards.receiver import Collected, Receiver
from farthing_dashboards.simulator import Simulator

APP = """
import openai, anthropic, os
url = os.environ["LLM_URL"]
messages = [{"role": "user", "content": "hi"}]
chat = openai.OpenAI(api_key="key", base_url=url + "/v1").chat.completions
print(chat.create(model="gpt-4o-mini", messages=messages).choices[0].message.role)
messages = anthropic.Anthropic(api_key="key", base_url=url).messages
print(messages.create(model="claude-haiku-4-5", max_tokens=9, messages=[
    {"role": "user", "content": "hi"}]).role)
"""
BIN = Path(sys.executable).parent

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(seed=3) as running:
        yield running


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def receiver(collected: Collected) -> Iterator[Receiver]:
    with Receiver(collected, grpc=True) as running:
        yield running


@pytest.fixture
def run(simulator: Simulator, tmp_path: Path) -> Run:
    """Run the application, or ``command``, with these variables and no other OTEL_ or FARTHING_."""
    (tmp_path / "app.py").write_text(APP)

    def start(
        *command: str | Path, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "FARTHING_"))
        }
        environment |= {
            "LLM_URL": simulator.url,
            "FARTHING_GATEWAYS": simulator.url.removeprefix("http://"),
            "OTEL_LOGS_EXPORTER": "none",
        }
        return subprocess.run(
            command or (BIN / "opentelemetry-instrument", sys.executable, "app.py"),
            check=check,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment | variables,
            timeout=60,
        )

    return start
