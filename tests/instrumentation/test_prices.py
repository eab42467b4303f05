"""The user's prices, a provider's own cost and the cache's savings, up to span and metrics."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import rules
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi"}]

RULES = """\
# What Acme pays.
[[rule]]
host = "llm.acme.internal"
gpu_hour = { price = "2.49", gpus = 4, concurrency = 16 }

[[rule]]
step = "evals-*"
free = true

[[rule]]
provider = "openai"
model = "gpt-4o"
discount = "12.5"

[[rule]]
provider = "openai"
model = "gpt-4o"
discount = "20%"
"""


@pytest.fixture
def prices(tmp_path: Path) -> Any:
    path = tmp_path / "prices.toml"
    path.write_text(RULES)
    yield str(path)
    rules.use(None)


def ask(provider: Provider, **options: Any) -> None:
    body = shapes.chat()
    provider.answers(shapes.ok(body)).openai(**options).chat.completions.create(
        model="gpt-4o", messages=MESSAGES
    )


@pytest.mark.parametrize("where", ["code", "environment"])
def test_a_file_of_prices(
    telemetry: Telemetry,
    provider: Provider,
    prices: str,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "farthing"):
        if where == "code":
            telemetry.instrument(prices=Path(prices))
        else:
            monkeypatch.setenv("FARTHING_PRICES", prices)
            telemetry.instrument(semconv="both")
            telemetry.instrument(semconv="released")
    (said,) = [record.message for record in caplog.records]
    assert said.startswith(f"{prices}, line 13: 'discount' takes off a part of the price.")
    ask(provider)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == 0.004492
    assert attributes["gen_ai.usage.cost.source"] == "local"
    assert attributes["farthing.cost.status"] == "priced"
    assert attributes["farthing.cost.output"] == 0.0024
    assert attributes["farthing.cost.cache_savings"] == 0.00192
    assert attributes["farthing.cost.prices"].startswith("prices.toml ")
    assert " line 15; genai-prices " in attributes["farthing.cost.prices"]
    sums = telemetry.sums()
    assert sums["gen_ai.client.operation.cost"] == 0.004492
    assert sums["farthing.cache.savings"] == 0.00192


def test_by_step_and_by_host(telemetry: Telemetry, provider: Provider, prices: str) -> None:
    telemetry.instrument(prices=prices)
    with telemetry.tracer.start_as_current_span("evals-nightly"):
        ask(provider)
    ask(provider, base_url="https://llm.acme.internal/v1")
    free, timed = (span for span in telemetry.spans() if span.name == "chat gpt-4o")
    assert (free.attributes or {})["gen_ai.usage.cost.amount"] == 0
    assert (free.attributes or {})["farthing.cost.status"] == "free"
    assert timed.attributes
    assert timed.start_time
    assert timed.end_time
    assert timed.attributes["gen_ai.provider.name"] == "_OTHER"
    hourly = timed.attributes["gen_ai.usage.cost.amount"]
    # To the nanosecond: 2.49 USD x 4 GPUs / 16 calls at once, by the hour.
    assert hourly == 249 * 4 * (timed.end_time - timed.start_time) / (16 * 3600 * 10**11)


def test_without_a_file_again(telemetry: Telemetry, provider: Provider, prices: str) -> None:
    telemetry.instrument(prices=prices)
    telemetry.instrument(semconv="both")
    ask(provider)
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


def test_a_file_that_is_not_there_stops_nothing(
    telemetry: Telemetry, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "farthing"):
        telemetry.instrument(prices="/nowhere/prices.toml")
    assert "/nowhere/prices.toml cannot be read: No such file or directory." in caplog.text
    ask(provider)
    assert telemetry.attributes()["gen_ai.usage.cost.amount"] == shapes.CHAT_COST


@pytest.mark.parametrize(
    ("cost", "other", "disagreements"), [(0.0056, None, None), (0.0123, 0.005615, 1)]
)
def test_what_openrouter_says_that_it_cost(
    telemetry: Telemetry,
    provider: Provider,
    cost: float,
    other: float | None,
    disagreements: int | None,
) -> None:
    body = shapes.chat(shapes.CHAT_USAGE | {"cost": cost}, model="openai/gpt-4o")
    client = provider.answers(shapes.ok(body)).openai(base_url="https://openrouter.ai/api/v1")
    client.chat.completions.create(model="openai/gpt-4o", messages=MESSAGES)
    attributes = telemetry.attributes()
    assert attributes["gen_ai.usage.cost.amount"] == cost
    assert attributes["gen_ai.usage.cost.source"] == "provider"
    assert attributes["farthing.cost.status"] == "reported"
    assert attributes.get("farthing.cost.listed") == other
    sums = telemetry.sums()
    assert sums["gen_ai.client.operation.cost"] == cost
    assert sums.get("farthing.cost.disagreements") == disagreements


def test_writing_to_the_cache_and_not_reading_is_a_surcharge(
    telemetry: Telemetry, provider: Provider
) -> None:
    wrote = shapes.ANTHROPIC_USAGE | {"cache_read_input_tokens": 0}
    messages = provider.answers(shapes.ok(shapes.message(usage=wrote))).anthropic().messages
    messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=MESSAGES)
    # 2000 x (3.75 - 3) and 3000 x (6 - 3), by the million.
    assert telemetry.attributes()["farthing.cost.cache_savings"] == -0.0105
    sums = telemetry.sums()
    assert sums["farthing.cache.surcharges"] == 0.0105
    assert "farthing.cache.savings" not in sums
    provider.answers(shapes.ok(shapes.message()))
    messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=MESSAGES)
    # What 100,000 tokens read saved, less the same writes.
    assert telemetry.sums()["farthing.cache.savings"] == 0.2595
