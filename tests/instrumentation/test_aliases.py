"""The cost under backends' own names, on the spans of real calls and of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import farthing
from farthing import batches
from tests.instrumentation import shapes
from tests.instrumentation.batch_shapes import chat, file, jsonl, line
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]
NAMES = ("gen_ai.usage.cost", "operation.cost", "llm.cost.total")


@pytest.fixture
def made() -> Iterator[Telemetry]:
    yield Telemetry()
    farthing.uninstrument()


def ask(provider: Provider, **changes: Any) -> None:
    provider.answers(shapes.ok(shapes.chat(**changes)))
    provider.openai().chat.completions.create(model="gpt-4o", messages=MESSAGES)


def test_off_by_default(telemetry: Telemetry, provider: Provider) -> None:
    ask(provider)
    said = telemetry.attributes()
    assert said["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    assert not [name for name in said if name in NAMES or name.startswith("llm.")]


@pytest.mark.parametrize("where", ["environment", "code"])
def test_several_at_once(
    made: Telemetry, provider: Provider, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "environment":
        monkeypatch.setenv("FARTHING_COST_ALIASES", "logfire,openinference")
        made.instrument()
    else:
        made.instrument(cost_aliases=["logfire", "openinference"])
    ask(provider)
    said = made.attributes()
    assert said["operation.cost"] == shapes.CHAT_COST
    assert said["llm.cost.total"] == shapes.CHAT_COST
    assert said["llm.cost.prompt"] == 0.002615  # 86 at 2.5 and 1920 cached at 1.25 a million
    assert said["llm.cost.prompt_details.cache_read"] == 0.0024
    assert said["llm.cost.completion"] == 0.003  # 300 at 10 a million
    assert "llm.cost.prompt_details.cache_write" not in said
    assert said["gen_ai.usage.cost.amount"] == shapes.CHAT_COST
    assert "farthing.cost.amount" not in said


@pytest.mark.parametrize("backend", ["langfuse", "openlit"])
def test_the_name_that_the_proposals_are_inside_of(
    made: Telemetry, provider: Provider, backend: str
) -> None:
    made.instrument(cost_aliases=backend)
    ask(provider)
    said = made.attributes()
    assert said["gen_ai.usage.cost"] == said["farthing.cost.amount"] == shapes.CHAT_COST
    assert not [name for name in said if name.startswith("gen_ai.usage.cost.")]
    # Langfuse refuses a span with a count of tokens that is no whole number, and takes every
    # gen_ai.usage.* but that one for a count.
    counts = {name: value for name, value in said.items() if name.startswith("gen_ai.usage.")}
    del counts["gen_ai.usage.cost"]
    assert counts
    assert all(isinstance(count, int) for count in counts.values())
    assert made.sums()["gen_ai.client.operation.cost"] == shapes.CHAT_COST


def test_a_call_without_an_amount_has_none(made: Telemetry, provider: Provider) -> None:
    made.instrument(cost_aliases="langfuse,logfire,openinference,openlit")
    ask(provider, model="model-nobody-has-a-price-for")
    said = made.attributes()
    assert said["farthing.cost.status"] == "unpriced"
    assert not [name for name in said if name in NAMES or name.startswith("llm.")]
    assert "farthing.cost.amount" not in said


def test_a_batch(made: Telemetry, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_RECORDED", batches.Recorded())
    made.instrument(cost_aliases="logfire,langfuse")
    client = provider.answers(file(jsonl(line(chat())))).openai()
    summary = farthing.record_batch(client.files.content("file-1"))
    said = made.attributes()
    assert summary.calls == 1
    assert said["operation.cost"] == said["gen_ai.usage.cost"] == float(summary.usd) > 0
