"""Estimates: what an abandoned stream may have cost, said as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from farthing.estimating import RATIOS, Ratios
from farthing_processor.usage import Usage
from tests.instrumentation import shapes
from tests.instrumentation.conftest import Provider, Telemetry

MESSAGES: Any = [{"role": "user", "content": "hi there"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}
MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "messages": MESSAGES,
}
PLAIN = {"prompt_tokens": 16, "completion_tokens": 20, "total_tokens": 36}


@pytest.fixture(autouse=True)
def _forget() -> None:
    RATIOS._seen.clear()


@pytest.fixture
def estimating(telemetry: Telemetry) -> Telemetry:
    telemetry.instrument(estimate=True)
    return telemetry


def leave_early(provider: Provider) -> None:
    """Read ``Hel`` of ``Hello``, and leave."""
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    with provider.openai().chat.completions.create(stream=True, **CHAT) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break


def test_an_abandoned_chat_stream(estimating: Telemetry, provider: Provider) -> None:
    # Earlier: 8 characters asked came to 16 tokens, the 5 of "Hello" to 20.
    provider.answers(shapes.ok(shapes.chat(PLAIN))).openai().chat.completions.create(**CHAT)
    leave_early(provider)
    attributes = dict(estimating.spans()[-1].attributes or {})
    assert attributes["farthing.cost.status"] == "estimated"
    assert attributes["farthing.estimated.output_tokens"] == 12
    assert attributes["farthing.estimated.input_tokens"] == 16
    assert attributes["gen_ai.usage.cost.amount"] == (16 * 2.5 + 12 * 10) / 1e6
    assert "gen_ai.usage.output_tokens" not in attributes
    assert "gen_ai.usage.input_tokens" not in attributes
    assert estimating.sums()["gen_ai.client.token.usage"] == 36  # the first call's alone


def test_where_the_provider_said_what_went_in(estimating: Telemetry, provider: Provider) -> None:
    usage = {"input_tokens": 5, "output_tokens": 10}
    provider.answers(
        shapes.ok(shapes.message(usage=usage)),
        shapes.sse(shapes.message_events()),
    )
    client = provider.anthropic()
    client.messages.create(**MESSAGE)
    with client.messages.create(stream=True, **MESSAGE) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                break
    attributes = dict(estimating.spans()[-1].attributes or {})
    assert attributes["farthing.cost.status"] == "estimated"
    assert attributes["farthing.estimated.output_tokens"] == 10
    assert "farthing.estimated.input_tokens" not in attributes
    assert attributes["gen_ai.usage.input_tokens"] == 105010
    assert attributes["gen_ai.usage.cost.amount"] == 0.06303 - (500 - 10) * 15 / 1e6


def test_a_model_never_seen_to_end(estimating: Telemetry, provider: Provider) -> None:
    leave_early(provider)
    attributes = estimating.attributes()
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert "farthing.estimated.output_tokens" not in attributes


def test_what_characters_do_not_measure(estimating: Telemetry, provider: Provider) -> None:
    """The tokens of an image are not those of its address: the answer alone makes no amount."""
    provider.answers(shapes.ok(shapes.chat(PLAIN))).openai().chat.completions.create(**CHAT)
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    provider.answers(shapes.sse(shapes.chat_chunks(), done=True))
    messages: Any = [{"role": "user", "content": [image]}]
    with provider.openai().chat.completions.create(
        model="gpt-4o", messages=messages, stream=True
    ) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    attributes = dict(estimating.spans()[-1].attributes or {})
    assert attributes["farthing.cost.status"] == "usage_missing"
    assert attributes["farthing.estimated.output_tokens"] == 12
    assert "gen_ai.usage.cost.amount" not in attributes


def test_off_by_default_and_no_content_either_way(
    estimating: Telemetry, provider: Provider
) -> None:
    provider.answers(shapes.ok(shapes.chat(PLAIN))).openai().chat.completions.create(**CHAT)
    assert not [name for name in estimating.attributes() if "messages" in name]
    estimating.instrument(estimate=False)
    leave_early(provider)
    assert dict(estimating.spans()[-1].attributes or {})["farthing.cost.status"] == "usage_missing"


def test_ratios_are_kept_in_bounded_memory() -> None:
    ratios = Ratios(models=2)
    for number in range(9):
        ratios.learn("openai", str(number), 10, 10, Usage(5, 5))
    assert len(ratios._seen) == 4
    assert ratios.estimate("openai", "8", 10, 10, None) is not None
    assert ratios.estimate("openai", "0", 10, 10, None) is None
