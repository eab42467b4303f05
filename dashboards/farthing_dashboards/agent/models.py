"""Where the models are: the provider clients, and how much there is to ask them."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import anthropic
import openai

# Each step's calls in a hundred reports and briefs: their shares are those of a real agent's month.
CALLS = {
    "classify": 100,
    "planning": 360,
    "embed_query": 140,
    "research": 120,
    "status_check": 820,
    "summarise": 160,
    "doc_synthesis": 180,
    "title": 120,
}


def model(name: str) -> str:
    return os.environ.get("LLM_MODEL") or name


class Models:
    """The clients of one server: OpenAI under ``/v1``, Anthropic at the root."""

    def __init__(self, base_url: str, api_key: str) -> None:
        openai_url = f"{base_url}/v1"
        self.openai = openai.OpenAI(base_url=openai_url, api_key=api_key)
        self.openai_async = openai.AsyncOpenAI(base_url=openai_url, api_key=api_key)
        self.anthropic = anthropic.Anthropic(base_url=base_url, api_key=api_key)
        self.anthropic_async = anthropic.AsyncAnthropic(base_url=base_url, api_key=api_key)
        self.left_out: set[str] = set()
        """The steps that the server does not serve."""

    @contextmanager
    def asked(self, step: str, number: int) -> Generator[list[str], None, None]:
        """What ``step`` has to ask for report or brief ``number``, if the server serves it."""
        share = CALLS[step]
        calls = (number + 1) * share // 100 - number * share // 100
        if step in self.left_out:
            calls = 0
        try:
            yield [f"Number {number + 1}, part {part + 1}" for part in range(calls)]
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            if error.status_code not in (404, 405, 501):
                raise
            sys.stderr.write(
                f"Step {step} is left out: {error.request.url.host} has no such API.\n"
            )
            self.left_out.add(step)

    async def close(self) -> None:
        await self.openai_async.close()
        await self.anthropic_async.close()
