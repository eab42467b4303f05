"""Samples what Strands Agents writes: ``python sample_strands.py > raw.json``.

Run in an environment with strands-agents[openai,anthropic], the repository on PYTHONPATH: the
providers are the simulator.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from spans import Recorder
from strands import Agent
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel

from farthing_dashboards.simulator import Simulator


def main() -> None:
    recorder = Recorder()
    calls: list[dict[str, Any]] = []
    with Simulator() as simulator:
        to: Any = {"api_key": "key"}

        def openai() -> Any:
            there = to | {"base_url": f"{simulator.url}/v1"}
            return OpenAIModel(client_args=there, model_id="gpt-4.1")

        def anthropic() -> Any:
            there = to | {"base_url": simulator.url}
            return AnthropicModel(client_args=there, model_id="claude-haiku-4-5", max_tokens=2000)

        def cached(text: str) -> Any:
            return [{"text": text}, {"cachePoint": {"type": "default"}}]

        wanted: tuple[tuple[str, str, Callable[[], Any], Any], ...] = (
            ("chat", "openai", openai, "Classify the ticket."),
            ("chat before cache", "openai", openai, "Plan the work."),
            ("chat cache read", "openai", openai, "Plan the work."),
            ("message", "anthropic", anthropic, "Classify the ticket."),
            ("message cache write", "anthropic", anthropic, cached("Summarise the findings.")),
            ("message cache read", "anthropic", anthropic, cached("Summarise the findings.")),
        )
        for name, provider, model, system in wanted:
            before = len(simulator.ledger)
            Agent(model=model(), system_prompt=system, callback_handler=None)("What is next?")
            ledger = [
                {"provider": provider}
                | {key: entry.as_json()[key] for key in ("response_id", "model", "usage")}
                for entry in simulator.ledger[before:]
            ]
            spans = recorder.take()
            calls.append({"call": name, "server": None, "ledger": ledger, "spans": spans})
    packages = {name: version(name) for name in ("strands-agents", "openai", "anthropic")}
    print(json.dumps({"packages": packages, "calls": calls}))


if __name__ == "__main__":
    main()
