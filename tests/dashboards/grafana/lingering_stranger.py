"""A program with what the sample agent has not: others who know a cost, and two bad habits.

A gateway bills, a tracer says little; it insists on what fails, and sends again a long beginning
that is not cached. No workflow and no step. Alive after its work until its input ends.
"""

from __future__ import annotations

import os
import sys

import httpx
import openai
from opentelemetry import trace

MODEL = "openai/gpt-4o"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
BILLS = (0.0035, 0.0035, 0.0123)
"""The gateway's: the last one is far from the list price."""
HABITS = ("[fault:rate_limit:2] Again, number {}", "A long beginning. " * 1000 + "Number {}")
"""Prompts: of calls that fail twice each before they succeed, and of calls that could be cached."""


def ask_gateway(number: int, cost: float) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        message = {"role": "assistant", "content": "Hi"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        said = {"id": f"gen-{number}", "object": "chat.completion", "created": 1, "model": MODEL}
        usage = {**USAGE, "cost": cost}
        return httpx.Response(200, json={**said, "choices": [choice], "usage": usage})

    client = openai.OpenAI(
        api_key="none",
        base_url="https://openrouter.ai/api/v1",
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])


def trace_as_langsmith() -> None:
    said = {
        "langsmith.span.kind": "llm",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 500,
        "gen_ai.usage.output_tokens": 50,
    }
    trace.get_tracer("langsmith").start_span("ChatOpenAI", attributes=said).end()


def ask(prompt: str) -> None:
    client = openai.OpenAI(api_key="none", base_url=os.environ["LLM_BASE_URL"] + "/v1")
    messages = [{"role": "user", "content": prompt}]
    client.chat.completions.create(model="gpt-4.1", messages=messages)


for number, bill in enumerate(BILLS):
    ask_gateway(number, bill)
for _ in range(2):
    trace_as_langsmith()
for habit in HABITS:
    for number in range(4):
        ask(habit.format(number))
print("done", flush=True)
sys.stdin.read()
