"""Customer reports, in plain functions that say what they are: a workflow, its steps, its outcome.

Nothing else is said of farthing, and without it configured the decorators do nothing.
"""

from __future__ import annotations

import asyncio

import farthing
from farthing_dashboards.agent.models import Models, model


@farthing.workflow("customer_report")
async def write_report(models: Models, number: int) -> None:
    with models.asked("classify", number) as tickets:
        for ticket in tickets:
            await asyncio.to_thread(classify, models, ticket)
    await asyncio.gather(check_systems(models, number), summarise_findings(models, number))
    with models.asked("title", number) as documents:
        for document in documents:
            await asyncio.to_thread(title, models, document)
    if number % 10 == 6:  # what nobody wanted was written in vain, whatever it cost
        farthing.outcome("failed", "the customer sent it back")


async def check_systems(models: Models, number: int) -> None:
    with models.asked("status_check", number) as systems:
        for system in systems:
            await status_check(models, system)


async def summarise_findings(models: Models, number: int) -> None:
    with models.asked("summarise", number) as findings:
        for finding in findings:
            await summarise(models, finding)


@farthing.step
def classify(models: Models, ticket: str) -> str | None:
    completion = models.openai.chat.completions.create(
        model=model("gpt-4o-mini"),
        max_tokens=60,
        messages=[
            {"role": "system", "content": "Classify the ticket: billing, bug or question."},
            {"role": "user", "content": ticket},
        ],
    )
    return completion.choices[0].message.content


@farthing.step
async def status_check(models: Models, system: str) -> str | None:
    completion = await models.openai_async.chat.completions.create(
        model=model("gpt-4o-mini"),
        max_tokens=80,
        messages=[
            {"role": "system", "content": "Check the status and answer in one sentence."},
            {"role": "user", "content": system},
        ],
    )
    return completion.choices[0].message.content


@farthing.step
async def summarise(models: Models, finding: str) -> str:
    stream = await models.anthropic_async.messages.create(
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


@farthing.step
def title(models: Models, document: str) -> str:
    chunks = models.openai.chat.completions.create(
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
