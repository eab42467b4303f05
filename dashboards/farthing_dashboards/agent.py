"""A sample agent as anyone would write it: provider clients, and one OpenTelemetry span a step.

It writes customer reports: sorts the tickets, plans, searches, reads and writes. It knows nothing
of farthing; run it under ``opentelemetry-instrument``. ``LLM_BASE_URL`` says where the models are
(OpenAI under ``/v1``, Anthropic at the root), ``LLM_MODEL`` replaces every model name for a server
that has only one, ``LLM_API_KEY`` is sent as the key.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from opentelemetry import trace

# Each step's calls in a hundred reports: their shares are those of a real agent's month.
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

tracer = trace.get_tracer("sample-agent")


def model(name: str) -> str:
    return os.environ.get("LLM_MODEL") or name


class Agent:
    """Each method is a step that makes one call."""

    def __init__(self, base_url: str, api_key: str) -> None:
        openai_url = f"{base_url}/v1"
        self.openai = openai.OpenAI(base_url=openai_url, api_key=api_key)
        self.openai_async = openai.AsyncOpenAI(base_url=openai_url, api_key=api_key)
        self.anthropic = anthropic.Anthropic(base_url=base_url, api_key=api_key)
        self.anthropic_async = anthropic.AsyncAnthropic(base_url=base_url, api_key=api_key)

    def classify(self, ticket: str) -> str | None:
        with tracer.start_as_current_span("classify"):
            completion = self.openai.chat.completions.create(
                model=model("gpt-4o-mini"),
                max_tokens=60,
                messages=[
                    {"role": "system", "content": "Classify the ticket: billing, bug or question."},
                    {"role": "user", "content": ticket},
                ],
            )
            return completion.choices[0].message.content

    def planning(self, goal: str) -> str:
        with (
            tracer.start_as_current_span("planning"),
            self.anthropic.messages.stream(
                model=model("claude-sonnet-4-6"),
                max_tokens=100,
                system=[
                    {
                        "type": "text",
                        "text": "Plan the work in numbered steps.",
                        "cache_control": {"type": "ephemeral", "ttl": "1h"},
                    }
                ],
                messages=[{"role": "user", "content": goal}],
            ) as stream,
        ):
            return stream.get_final_text()

    def embed_query(self, query: str) -> list[float]:
        with tracer.start_as_current_span("embed_query"):
            response = self.openai.embeddings.create(
                model=model("text-embedding-3-large"), input=f"Search for: {query}"
            )
            return response.data[0].embedding

    async def research(self, question: str) -> str:
        with tracer.start_as_current_span("research"):
            response = await self.openai_async.responses.create(
                model=model("gpt-4.1"),
                instructions="Research the question and name your sources.",
                input=question,
                max_output_tokens=100,
            )
            return response.output_text

    async def status_check(self, system: str) -> str | None:
        with tracer.start_as_current_span("status_check"):
            completion = await self.openai_async.chat.completions.create(
                model=model("gpt-4o-mini"),
                max_tokens=80,
                messages=[
                    {"role": "system", "content": "Check the status and answer in one sentence."},
                    {"role": "user", "content": system},
                ],
            )
            return completion.choices[0].message.content

    async def summarise(self, finding: str) -> str:
        with tracer.start_as_current_span("summarise"):
            stream = await self.anthropic_async.messages.create(
                model=model("claude-haiku-4-5"),
                max_tokens=100,
                stream=True,
                system=[
                    {
                        "type": "text",
                        "text": "Summarise the findings in one paragraph.",
                        "cache_control": {"type": "ephemeral"},
                    }
                ],
                messages=[{"role": "user", "content": finding}],
            )
            summary = ""
            async for event in stream:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    summary += event.delta.text
            return summary

    def doc_synthesis(self, part: str) -> str:
        with tracer.start_as_current_span("doc_synthesis"):
            stream = self.openai.responses.create(
                model=model("gpt-5.5"),
                instructions="Synthesise the document from all of its sources.",
                input=part,
                max_output_tokens=100,
                stream=True,
            )
            return "".join(e.delta for e in stream if e.type == "response.output_text.delta")

    def title(self, document: str) -> str:
        with tracer.start_as_current_span("title"):
            chunks = self.openai.chat.completions.create(
                model=model("gpt-4o-mini"),
                max_tokens=12,
                stream=True,
                stream_options={"include_usage": True},
                messages=[
                    {"role": "system", "content": "Write a title of at most six words."},
                    {"role": "user", "content": document},
                ],
            )
            return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


async def work(step: Callable[[str], Any], text: str) -> None:
    if inspect.iscoroutinefunction(step):
        await step(text)
    else:
        await asyncio.to_thread(step, text)


async def write_reports(base_url: str, reports: int) -> set[str]:
    """Returns the steps that were left out because the server does not serve them."""
    agent = Agent(base_url, os.environ.get("LLM_API_KEY") or "none")
    left_out: set[str] = set()
    for number in range(reports):
        with tracer.start_as_current_span("customer_report"):
            for step, per_hundred in CALLS.items():
                if step in left_out:
                    continue
                calls = (number + 1) * per_hundred // 100 - number * per_hundred // 100
                texts = [f"Report {number + 1}, part {part + 1}" for part in range(calls)]
                try:
                    await asyncio.gather(*(work(getattr(agent, step), text) for text in texts))
                except (openai.APIStatusError, anthropic.APIStatusError) as error:
                    if error.status_code not in (404, 405, 501):
                        raise
                    sys.stderr.write(f"Step {step} is left out: {base_url} does not serve it.\n")
                    left_out.add(step)
    await agent.openai_async.close()
    await agent.anthropic_async.close()
    return left_out


def main() -> int:
    parser = argparse.ArgumentParser(description="Write customer reports.")
    parser.add_argument(
        "--calls", type=int, default=40, help="calls of the rarest step (%(default)s)"
    )
    reports = parser.parse_args().calls
    if reports < 1:
        parser.error("--calls takes a number of at least 1")
    base_url = os.environ.get("LLM_BASE_URL", "").rstrip("/").removesuffix("/v1")
    if not base_url:
        sys.stderr.write("Set LLM_BASE_URL to where the models are, as in http://127.0.0.1:8089.\n")
        return 2
    try:
        left_out = asyncio.run(write_reports(base_url, reports))
    except (openai.APIError, anthropic.APIError) as error:
        sys.stderr.write(f"The model server at {base_url} failed: {error}\n")
        return 1
    return 1 if len(left_out) == len(CALLS) else 0


if __name__ == "__main__":
    sys.exit(main())
