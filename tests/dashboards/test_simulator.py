"""The provider simulator, through the clients that applications use."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal

import anthropic
import httpx2
import openai
import pytest
import requests

from farthing_dashboards.simulator import Fault, Simulator

SYSTEM = "Plan the work in numbered steps."
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "go"}]
CACHED_SYSTEM = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
LONG_CACHED_SYSTEM = [
    {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
]


@pytest.fixture
def simulator():
    with Simulator(seed=7, stall_seconds=0.01) as simulator:
        yield simulator


def _openai(simulator, **kwargs):
    return openai.OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-secret", **kwargs)


def _anthropic(simulator, **kwargs):
    return anthropic.Anthropic(base_url=simulator.url, api_key="sk-secret", **kwargs)


@pytest.fixture
def chat(simulator):
    with _openai(simulator) as client:
        yield client


@pytest.fixture
def claude(simulator):
    with _anthropic(simulator) as client:
        yield client


def _reported(model):
    """A client's usage object as the dictionary that was on the wire."""
    return model.model_dump(exclude_unset=True)


def test_chat(simulator, chat):
    first = chat.chat.completions.create(model="gpt-4.1", messages=MESSAGES)
    second = chat.chat.completions.create(model="gpt-4.1", messages=MESSAGES)
    assert first.model == "gpt-4.1-2025-04-14"
    assert first.choices[0].message.content
    assert (first.choices[0].finish_reason, first.service_tier) == ("stop", "default")
    cold, warm = first.usage, second.usage
    assert (cold.prompt_tokens_details.cached_tokens, cold.completion_tokens_details) is not None
    assert cold.prompt_tokens_details.cached_tokens == 0
    assert warm.prompt_tokens_details.cached_tokens > 1024
    assert warm.prompt_tokens_details.cached_tokens % 128 == 0
    assert warm.total_tokens == warm.prompt_tokens + warm.completion_tokens
    entries = simulator.ledger
    assert [entry.response_id for entry in entries] == [first.id, second.id]
    assert first.id.startswith("chatcmpl-")
    assert [entry.usage for entry in entries] == [_reported(cold), _reported(warm)]
    cached = warm.prompt_tokens_details.cached_tokens
    assert entries[1].cost == (
        (warm.prompt_tokens - cached) * Decimal("0.000002")
        + cached * Decimal("0.0000005")
        + warm.completion_tokens * Decimal("0.000008")
    )
    assert [(e.seq, e.api, e.step, e.index, e.status, e.reported, e.streamed) for e in entries] == [
        (0, "chat.completions", "planning", 0, 200, True, False),
        (1, "chat.completions", "planning", 1, 200, True, False),
    ]


@pytest.mark.parametrize("asked", [True, False])
def test_chat_stream_reports_usage_only_when_asked(simulator, chat, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = list(
        chat.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True, **options)
    )
    (entry,) = simulator.ledger
    assert {chunk.id for chunk in chunks} == {entry.response_id}
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) > 3
    assert (entry.streamed, entry.reported) == (True, asked)
    assert entry.cost > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    if asked:
        assert chunks[-1].choices == []
        assert _reported(chunks[-1].usage) == entry.usage
    else:
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert chunks[-1].usage is None


def test_responses(simulator, chat):
    whole = chat.responses.create(model="gpt-5.5", instructions=SYSTEM, input="go")
    events = list(
        chat.responses.create(
            model="gpt-5.5",
            input=[{"role": "developer", "content": SYSTEM}, {"role": "user", "content": "go"}],
            stream=True,
        )
    )
    assert whole.output_text
    assert whole.usage.output_tokens_details.reasoning_tokens > 0
    types = [event.type for event in events]
    assert types[0] == "response.created"
    assert types[-1] == "response.completed"
    assert "response.output_text.delta" in types
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1].response
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas.strip() == final.output_text
    assert events[0].response.usage is None
    assert [entry.usage for entry in simulator.ledger] == [
        _reported(whole.usage),
        _reported(final.usage),
    ]
    assert [entry.response_id for entry in simulator.ledger] == [whole.id, final.id]
    assert {entry.step for entry in simulator.ledger} == {"planning"}


def test_responses_stream_helper(simulator, chat):
    with chat.responses.stream(model="gpt-4.1", instructions=SYSTEM, input="go") as stream:
        final = stream.get_final_response()
    assert _reported(final.usage) == simulator.ledger[0].usage


def test_embeddings(simulator, chat):
    one = chat.embeddings.create(model="text-embedding-3-large", input="Search for: a")
    two = chat.embeddings.create(
        model="text-embedding-3-large",
        input=["Search for: a", "b"],
        encoding_format="float",
        dimensions=3,
    )
    assert one.data[0].embedding[:2] == [1.0, 0.0]
    assert [item.embedding for item in two.data] == [[1.0, 0.0, 0.0]] * 2
    first, _ = simulator.ledger
    assert (first.response_id, first.step) == (None, "embed_query")
    assert first.cost == one.usage.prompt_tokens * Decimal("0.00000013")
    assert first.usage == _reported(one.usage)


def test_messages_cache_only_what_they_are_asked_to(simulator, claude):
    def create(system):
        return claude.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=50,
            system=system,
            messages=[{"role": "user", "content": "go"}],
        )

    cold, warm, plain = create(LONG_CACHED_SYSTEM), create(CACHED_SYSTEM), create(SYSTEM)
    assert cold.usage.cache_creation.ephemeral_1h_input_tokens > 0
    assert cold.usage.cache_creation.ephemeral_5m_input_tokens == 0
    assert cold.usage.cache_creation_input_tokens == (
        cold.usage.cache_creation.ephemeral_1h_input_tokens
    )
    assert warm.usage.cache_read_input_tokens > warm.usage.input_tokens
    assert warm.usage.cache_creation_input_tokens == 0
    assert plain.usage.cache_read_input_tokens == 0
    assert plain.content[0].text
    assert (plain.stop_reason, plain.usage.service_tier) == ("end_turn", "standard")
    entries = simulator.ledger
    assert [entry.usage for entry in entries] == [_reported(m.usage) for m in (cold, warm, plain)]
    assert [entry.response_id for entry in entries] == [cold.id, warm.id, plain.id]
    assert entries[0].cost == (
        cold.usage.input_tokens * Decimal("0.000003")
        + cold.usage.cache_creation_input_tokens * Decimal("0.000006")
        + cold.usage.output_tokens * Decimal("0.000015")
    )


def test_five_minute_cache_writes(simulator, claude):
    message = claude.messages.create(
        model="claude-haiku-4-5",
        max_tokens=50,
        system=CACHED_SYSTEM,
        messages=[{"role": "user", "content": "go"}],
    )
    assert message.model == "claude-haiku-4-5-20251001"
    assert message.usage.cache_creation.ephemeral_5m_input_tokens > 0
    assert message.usage.cache_creation.ephemeral_1h_input_tokens == 0


def test_messages_stream_has_cumulative_usage(simulator, claude):
    def events(**kwargs):
        return list(
            claude.messages.create(
                model="claude-opus-4-8",
                max_tokens=50,
                system=LONG_CACHED_SYSTEM,
                messages=[{"role": "user", "content": "go"}],
                stream=True,
            )
        )

    streamed = events()
    types = [event.type for event in streamed]
    assert types[0] == "message_start"
    assert types[-1] == "message_stop"
    start, delta = streamed[0].message.usage, streamed[-2].usage
    (entry,) = simulator.ledger
    assert start.output_tokens < delta.output_tokens == entry.usage["output_tokens"]
    assert _reported(start) == entry.usage | {"output_tokens": start.output_tokens}
    assert delta.input_tokens == entry.usage["input_tokens"]


def test_messages_stream_is_pinged(simulator):
    response = requests.post(
        f"{simulator.url}/v1/messages",
        json={"model": "m", "max_tokens": 1, "messages": MESSAGES[1:], "stream": True},
    )
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert 'event: ping\ndata: {"type": "ping"}\n\n' in response.text


async def test_async_clients(simulator):
    async with (
        openai.AsyncOpenAI(base_url=f"{simulator.url}/v1", api_key="x") as chat,
        anthropic.AsyncAnthropic(base_url=simulator.url, api_key="x") as claude,
    ):
        completions = await asyncio.gather(
            *(chat.chat.completions.create(model="gpt-4.1", messages=MESSAGES) for _ in range(20))
        )
        async with claude.messages.stream(
            model="claude-haiku-4-5", max_tokens=50, messages=MESSAGES[1:]
        ) as stream:
            message = await stream.get_final_message()
        stream = await chat.responses.create(model="gpt-4.1", input="go", stream=True)
        final = [event async for event in stream][-1].response
    billed = {entry.response_id: entry.usage for entry in simulator.ledger}
    assert len(billed) == 22
    assert billed == {
        answer.id: _reported(answer.usage) for answer in (*completions, message, final)
    }


def test_other_prompts_are_counted_by_their_size(simulator, chat):
    completion = chat.chat.completions.create(
        model="gpt-4.1",
        messages=[{"role": "user", "content": [{"type": "text", "text": "x" * 41}]}],
    )
    (entry,) = simulator.ledger
    assert completion.usage.prompt_tokens == 11
    assert (entry.step, entry.index) == (None, 0)


def test_what_has_no_rate_has_no_cost(simulator, chat):
    chat.chat.completions.create(model="gpt-99", messages=MESSAGES)
    flex = chat.chat.completions.create(model="gpt-4.1", messages=MESSAGES, service_tier="flex")
    assert flex.service_tier == "flex"
    assert [entry.cost for entry in simulator.ledger] == [None, None]
    assert all(entry.reported for entry in simulator.ledger)


# Faults.


@pytest.mark.parametrize(
    ("kind", "status", "chat_error", "claude_error"),
    [
        ("rate_limit", 429, openai.RateLimitError, anthropic.RateLimitError),
        ("server_error", 500, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
def test_errors(simulator, kind, status, chat_error, claude_error):
    header = {"x-simulator-fault": kind}
    with _openai(simulator, max_retries=0) as chat, pytest.raises(chat_error):
        chat.responses.create(model="gpt-4.1", input="go", extra_headers=header)
    with _anthropic(simulator, max_retries=1) as claude, pytest.raises(claude_error) as error:
        claude.messages.create(
            model="claude-opus-4-8", max_tokens=9, messages=MESSAGES[1:], extra_headers=header
        )
    assert error.value.body["type"] == "error"
    entries = simulator.ledger
    assert [entry.status for entry in entries] == [status] * 3
    assert {(e.fault, e.cost, e.usage, e.index, e.reported) for e in entries} == {
        (kind, None, None, None, False)
    }


def test_a_marker_can_spare_the_retry(simulator, chat):
    completion = chat.chat.completions.create(
        model="gpt-4.1", messages=[{"role": "user", "content": "go [fault:rate_limit:2]"}]
    )
    assert [entry.status for entry in simulator.ledger] == [429, 429, 200]
    assert simulator.ledger[-1].response_id == completion.id


def test_scripted_faults_count_the_requests_of_a_step():
    faults = [Fault("server_error", "planning", 1), Fault("rate_limit", "planning", 3)]
    with Simulator(faults=faults) as simulator, _openai(simulator) as chat:
        for _ in range(3):
            chat.chat.completions.create(model="gpt-4.1", messages=MESSAGES)
        chat.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "x"}])
        assert [entry.status for entry in simulator.ledger] == [200, 500, 200, 429, 200, 200]
        assert [entry.index for entry in simulator.ledger] == [0, None, 1, None, 2, 0]


def test_a_stream_cut_half_way(simulator, chat, claude):
    header = {"x-simulator-fault": "cut"}
    pieces = []
    with pytest.raises(openai.APIConnectionError):
        pieces.extend(
            chat.chat.completions.create(
                model="gpt-4.1",
                messages=MESSAGES,
                stream=True,
                stream_options={"include_usage": True},
                extra_headers=header,
            )
        )
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        claude.messages.stream(
            model="claude-opus-4-8", max_tokens=9, messages=MESSAGES[1:], extra_headers=header
        ) as stream,
    ):
        pieces.extend(stream.text_stream)
    assert any(isinstance(piece, str) for piece in pieces)
    assert not all(isinstance(piece, str) for piece in pieces)
    for entry in simulator.ledger:
        assert (entry.fault, entry.cost, entry.reported, entry.status) == ("cut", None, False, 200)
        assert entry.response_id


def test_a_plain_answer_cut_half_way_is_retried(simulator, chat):
    chat.responses.create(model="gpt-4.1", input="go", extra_headers={"x-simulator-fault": "cut:1"})
    assert [entry.fault for entry in simulator.ledger] == ["cut", None]


def test_a_stall_ends(simulator, chat):
    chat.responses.create(model="gpt-4.1", input="go", extra_headers={"x-simulator-fault": "stall"})
    assert [(entry.fault, entry.reported) for entry in simulator.ledger] == [("stall", True)]


def test_closing_does_not_wait_for_a_stall():
    before = threading.active_count()
    with (
        Simulator(stall_seconds=3600) as simulator,
        _openai(simulator, timeout=0.05, max_retries=0) as chat,
        pytest.raises(openai.APITimeoutError),
    ):
        chat.responses.create(model="gpt-4.1", input="[fault:stall]")
    assert threading.active_count() == before


def test_errors_ask_for_a_quick_retry(simulator):
    response = requests.post(
        f"{simulator.url}/v1/responses", json={"model": "m", "input": "[fault:rate_limit]"}
    )
    assert response.headers["retry-after-ms"] == "5"


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/v1/responses", b"{", 400, "not JSON"),
        ("/v1/responses", b"[]", 400, "'model'"),
        ("/v1/responses", b'{"model": 1}', 400, "string"),
        ("/v1/messages", b'{"model": "m", "messages": [1]}', 400, "'max_tokens'"),
        ("/v1/models", b"{}", 404, "/v1/chat/completions"),
        ("/v1/embeddings", b'{"model": "m", "input": "[fault:fire]"}', 400, "rate_limit"),
    ],
)
def test_bad_requests_get_one_sentence(simulator, path, body, status, sentence):
    response = requests.post(simulator.url + path, body)
    assert response.status_code == status
    error = response.json()
    assert sentence in error["error"]["message"]
    assert (error.get("type") == "error") == (path == "/v1/messages")
    assert simulator.ledger == ()


# The ledger.


async def _month(seed):
    with Simulator(seed=seed, faults=[Fault("rate_limit", "planning", 3)]) as simulator:
        async with openai.AsyncOpenAI(base_url=f"{simulator.url}/v1", api_key="x") as client:
            prompts = [SYSTEM, "Check the status."] * 20
            await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="gpt-4.1", messages=[{"role": "system", "content": prompt}]
                    )
                    for prompt in prompts
                )
            )
        return sorted(
            (e.step, e.index, e.response_id, json.dumps(e.usage), e.cost)
            for e in simulator.ledger
            if e.index is not None
        )


async def test_the_ledger_depends_on_the_seed_alone():
    assert await _month(1) == await _month(1)
    assert await _month(1) != await _month(2)


def test_the_ledger_over_http_masks_credentials(simulator, chat, claude):
    chat.responses.create(
        model="gpt-5.5", instructions=SYSTEM, input="go", extra_headers={"Baggage": "user=me"}
    )
    claude.messages.create(model="claude-opus-4-8", max_tokens=9, messages=MESSAGES[1:])
    entries = requests.get(f"{simulator.url}/ledger").json()
    assert entries == [entry.as_json() for entry in simulator.ledger]
    assert Decimal(entries[0]["cost"]) == simulator.ledger[0].cost
    assert entries[0]["headers"]["baggage"] == "user=me"
    assert "sk-secret" not in json.dumps(entries)


def test_as_a_process():
    process = subprocess.Popen(
        [sys.executable, "-m", "farthing_dashboards.simulator", "--port", "0", "--seed", "7"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        url = process.stdout.readline().removeprefix("listening on ").strip()
        with openai.OpenAI(base_url=f"{url}/v1", api_key="x") as client:
            response = client.responses.create(model="gpt-5.5", instructions=SYSTEM, input="go")
        assert requests.get(f"{url}/ledger").json()[0]["response_id"] == response.id
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()
