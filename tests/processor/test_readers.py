"""Usage readers: every provider's counts in one shape, whatever the body holds."""

from __future__ import annotations

from typing import Any

import anthropic.types
import anthropic.types.beta
import openai.types.chat
import openai.types.responses
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing_processor.pricing import price
from farthing_processor.readers import READERS, UNNAMED_IMAGE_MODEL
from farthing_processor.usage import COUNTS, Usage

CHAT = READERS["openai", "chat.completions"]
RESPONSES = READERS["openai", "responses"]
IMAGES = READERS["openai", "images"]
MESSAGES = READERS["anthropic", "messages"]


def chat(**usage: Any) -> Usage:
    read = CHAT({"usage": usage})
    assert read is not None
    return read


def message(**usage: Any) -> Usage:
    read = MESSAGES({"usage": usage})
    assert read is not None
    return read


def test_chat() -> None:
    assert chat(
        prompt_tokens=2000,
        completion_tokens=300,
        total_tokens=2300,
        prompt_tokens_details={
            "cached_tokens": 900,
            "cache_write_tokens": 100,
            "audio_tokens": 50,
            "image_tokens": 40,
        },
        completion_tokens_details={
            "reasoning_tokens": 120,
            "audio_tokens": 30,
            "rejected_prediction_tokens": 9,
        },
    ) == Usage(
        2000,
        300,
        900,
        100,
        reasoning_tokens=120,
        input_audio_tokens=50,
        input_image_tokens=40,
        output_audio_tokens=30,
    )


@pytest.mark.parametrize(
    ("served", "tier"),
    [("default", ""), ("auto", ""), ("flex", "flex"), ("priority", "priority"), (None, "")],
)
def test_chat_served_tier(served: str | None, tier: str) -> None:
    read = CHAT({"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "service_tier": served})
    assert read == Usage(1, 1, tier=tier)


def test_responses_and_its_tools() -> None:
    usage = {
        "input_tokens": 50000,
        "input_tokens_details": {
            "cached_tokens": 20000,
            "cache_write_tokens": 25000,
            "cache_write_tokens_details": {"ttl_30m_tokens": 5000, "ttl_12h_tokens": 20000},
        },
        "output_tokens": 2000,
        "output_tokens_details": {"reasoning_tokens": 1500},
        "total_tokens": 52000,
    }
    output = [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "file_search_call"},
        {"type": "message"},
        "nonsense",
    ]
    expected = Usage(50000, 2000, 20000, 25000, 0, 20000, 1500, web_searches=1, file_searches=1)
    assert RESPONSES({"usage": usage, "output": output}) == expected
    tools = {"web_search": {"num_requests": 0}, "image_gen": {"input_tokens": 0}}
    body = {"usage": usage, "output": output, "tool_usage": tools}
    assert RESPONSES(body) == expected._replace(web_searches=0)
    tools["web_search"]["num_requests"] = 7
    assert RESPONSES(body) == expected._replace(web_searches=7)


@pytest.mark.parametrize(
    ("kinds", "searches", "preview", "problem"),
    [
        (["web_search"], 2, 0, ""),
        (["web_search_2025_08_26", "function"], 2, 0, ""),
        (["web_search_preview"], 0, 2, ""),
        (["web_search_preview_2025_03_11", "file_search"], 0, 2, ""),
        (["web_search", "web_search_preview"], 2, 0, "searches by two tools"),
        ([], 2, 0, ""),
        ([5, None], 2, 0, "invalid type"),
    ],
)
def test_searches_by_the_preview_have_a_fee_of_their_own(
    kinds: list[Any], searches: int, preview: int, problem: str
) -> None:
    body = {
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "tools": [{"type": kind} for kind in kinds],
        "tool_usage": {"web_search": {"num_requests": 2}},
    }
    assert RESPONSES(body) == Usage(
        1, 1, web_searches=searches, preview_searches=preview, problem=problem
    )
    body["tool_usage"] = {"web_search": {"num_requests": 0}}
    assert RESPONSES(body) == Usage(1, 1)


@pytest.mark.parametrize(
    ("tools", "model"),
    [
        ([{"type": "image_generation", "model": "gpt-image-2"}], "gpt-image-2"),
        ([{"type": "image_generation"}], UNNAMED_IMAGE_MODEL),
        ([], UNNAMED_IMAGE_MODEL),
    ],
)
def test_responses_image_tool_is_a_request_of_its_own(tools: Any, model: str) -> None:
    image = {
        "input_tokens": 1100,
        "input_tokens_details": {"text_tokens": 100, "image_tokens": 1000},
        "cached_tokens": 300,
        "cached_tokens_details": {"cached_image_tokens": 200, "cached_text_tokens": 100},
        "output_tokens": 4160,
        "output_tokens_details": {"image_tokens": 4000, "text_tokens": 160},
        "total_tokens": 5260,
    }
    read = RESPONSES(
        {
            "usage": {"input_tokens": 10, "output_tokens": 5},
            "tools": tools,
            "tool_usage": {"image_gen": image},
        }
    )
    beside = Usage(
        1100,
        4160,
        300,
        input_image_tokens=1000,
        cache_read_image_tokens=200,
        output_image_tokens=4000,
    )
    assert read == Usage(10, 5, also=((model, beside),))


def test_images_and_the_author_of_an_svg() -> None:
    svg = {"model": "gpt-5.5", "input_tokens": 7, "output_tokens": 9, "reasoning_tokens": 2}
    read = IMAGES({"usage": {"input_tokens": 3, "output_tokens": 4}, "svg_usage": svg})
    beside = ("gpt-5.5", Usage(7, 9, reasoning_tokens=2))
    assert read == Usage(3, 4, output_image_tokens=4, also=(beside,))
    assert IMAGES({"svg_usage": svg}) == Usage(also=(beside,))


def test_batch_reads_either_shape() -> None:
    batch = READERS["openai", "batch"]
    assert batch({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}) == Usage(1, 2, batch=True)
    assert batch({"usage": {"input_tokens": 1, "output_tokens": 2}}) == Usage(1, 2, batch=True)


def test_messages() -> None:
    assert message(
        input_tokens=10,
        cache_read_input_tokens=100000,
        cache_creation_input_tokens=5000,
        cache_creation={"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 3000},
        output_tokens=500,
        output_tokens_details={"thinking_tokens": 70},
        server_tool_use={"web_search_requests": 3, "web_fetch_requests": 2},
        service_tier="priority",
        speed="fast",
        inference_geo="us",
    ) == Usage(
        105010,
        500,
        100000,
        5000,
        3000,
        0,
        70,
        web_searches=3,
        tier="priority",
        speed="fast",
        geo="us",
    )


def test_messages_standard_setting_is_empty() -> None:
    read = message(
        input_tokens=1,
        output_tokens=2,
        service_tier="standard",
        speed="standard",
        inference_geo="not_available",
    )
    assert read == Usage(1, 2)
    assert message(input_tokens=1, output_tokens=2, service_tier="batch").batch


def test_messages_split_without_its_sum_is_the_sum() -> None:
    split = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}
    assert message(input_tokens=1, output_tokens=1, cache_creation=split) == Usage(6, 1, 0, 5, 3)
    read = message(
        input_tokens=1, output_tokens=1, cache_creation=split, cache_creation_input_tokens=9
    )
    assert read.problem == "cache_creation is not the sum of its parts"
    assert (read.cache_write_tokens, read.cache_write_1h_tokens) == (9, 3)


def test_iterations_outside_the_top_level_are_beside_it() -> None:
    counts = {"cache_read_input_tokens": 10, "cache_creation_input_tokens": 0}
    read = message(
        input_tokens=23,
        output_tokens=4,
        speed="fast",
        service_tier="batch",
        iterations=[
            {"type": "compaction", "input_tokens": 180, "output_tokens": 3, **counts},
            {"type": "message", "input_tokens": 23, "output_tokens": 4, **counts},
            {
                "type": "advisor_message",
                "model": "claude-opus-4-8",
                "input_tokens": 50,
                "output_tokens": 6,
                **counts,
            },
        ],
    )
    assert read == Usage(
        23,
        4,
        speed="fast",
        batch=True,
        also=(
            ("", Usage(190, 3, 10, speed="fast", batch=True)),
            ("claude-opus-4-8", Usage(60, 6, 10, batch=True)),
        ),
    )


def test_a_fallback_between_models_is_a_problem() -> None:
    iterations = [
        {"type": "message", "model": "claude-opus-5", "input_tokens": 1, "output_tokens": 1},
        {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1},
    ]
    read = message(input_tokens=2, output_tokens=1, iterations=iterations)
    assert read.problem == "served by more than one model"


@pytest.mark.parametrize("body", [None, {}, [], "x", 5, {"usage": None}, {"usage": []}, object()])
@pytest.mark.parametrize("key", READERS)
def test_absent_usage_is_none(body: object, key: tuple[str, str]) -> None:
    assert READERS[key](body) is None


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12, 12),
        ("12", 12),
        (12.0, 12),
        (0, 0),
        (-1, None),
        (True, None),
        (1.5, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, None),
        ("9" * 5000, None),
        ("1e3", None),
        ([], None),
        ({}, None),
    ],
)
def test_a_count_that_is_not_one_is_not_reported(value: object, count: int | None) -> None:
    read = chat(prompt_tokens=value, completion_tokens=5)
    assert read.input_tokens == count
    assert read.problem == ("" if count is not None else "invalid prompt_tokens")
    assert message(input_tokens=value, output_tokens=5).input_tokens == count


@pytest.mark.parametrize(
    ("usage", "inp", "out", "problem"),
    [
        # The total decides whether a part is on top of its whole.
        ((100, 50, 150, 80, 20), 100, 50, ""),
        ((100, 50, 170, 80, 20), 100, 70, ""),
        ((100, 50, 230, 80, 20), 180, 50, ""),
        ((100, 50, 250, 80, 20), 180, 70, ""),
        ((100, 50, 151, 80, 20), 100, 50, "total_tokens is not the sum"),
        ((100, 50, 149, 80, 20), 100, 50, "total_tokens is not the sum"),
        ((100, 50, 250, 100, 0), 200, 50, ""),
        ((100, 50, 150, 130, 0), 100, 50, "parts exceed their whole"),
    ],
)
def test_the_total_is_a_checksum(usage: tuple[int, ...], inp: int, out: int, problem: str) -> None:
    prompt, completion, total, cached, reasoning = usage
    read = chat(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_tokens_details={"cached_tokens": cached},
        completion_tokens_details={"reasoning_tokens": reasoning},
    )
    assert (read.input_tokens, read.output_tokens, read.problem) == (inp, out, problem)
    assert read.cache_read_tokens <= inp


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
MEMBERS = """
usage prompt_tokens completion_tokens total_tokens input_tokens output_tokens cached_tokens
prompt_tokens_details completion_tokens_details input_tokens_details output_tokens_details
cache_write_tokens cache_write_tokens_details ttl_12h_tokens audio_tokens image_tokens
reasoning_tokens cache_read_input_tokens cache_creation_input_tokens cache_creation
ephemeral_1h_input_tokens ephemeral_5m_input_tokens server_tool_use web_search_requests
service_tier speed inference_geo iterations type model tool_usage web_search num_requests
image_gen output action tools svg_usage fallback_credit status cached_tokens_details
seconds input input_token_details data results
""".split()  # noqa: SIM905
BODIES = st.recursive(
    JSON
    | st.sampled_from(["compaction", "advisor_message", "web_search_call", "image_generation"]),
    lambda inner: (
        st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=8) | st.lists(inner, max_size=3)
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(BODIES, BODIES)
def test_no_json_can_make_a_reader_raise(usage: Any, rest: Any) -> None:
    body = {**rest, "usage": usage} if isinstance(rest, dict) else {"usage": usage}
    for (provider, _), reader in READERS.items():
        read = reader(body)
        if read is not None:
            for name in COUNTS:
                value = getattr(read, name)
                assert value is None or (type(value) is int and value >= 0)
            price(read, provider=provider, model="gpt-5.5", at_ns=0)


def test_client_objects_read_like_their_json() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "total_tokens": 105,
        "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 3},
    }
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": usage,
        "service_tier": "flex",
    }
    assert CHAT(openai.types.chat.ChatCompletion.model_validate(body)) == CHAT(body)

    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "service_tier": "batch",
        "iterations": [
            {
                "type": "compaction",
                "input_tokens": 9,
                "output_tokens": 1,
                "cache_read_input_tokens": 0,
                "cache_creation_input_tokens": 0,
            },
        ],
    }
    body = {
        "id": "x",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    for client_type in (anthropic.types.beta.BetaMessage, anthropic.types.Message):
        # The second has no field for iterations: they are among its extra ones.
        assert MESSAGES(client_type.model_validate(body)) == MESSAGES(body)


API_OF = {
    "chat/completions": CHAT,
    "responses": RESPONSES,
    "embeddings": CHAT,
    "messages": MESSAGES,
}


def test_recorded_responses(recordings: Any) -> None:
    priced = 0
    for recording in recordings:
        reader = next(
            (r for end, r in API_OF.items() if recording.uri.partition("?")[0].endswith(end)), None
        )
        if reader is None or not isinstance(recording.body, dict) or "model" not in recording.body:
            continue
        read = reader(recording.body)
        assert (read is not None) == bool(recording.body.get("usage")), recording.source
        if read is None:
            continue
        provider = "anthropic" if reader is MESSAGES else "openai"
        model = recording.body["model"]
        at_ns = 1_795_176_000 * 10**9
        result = price(read, provider=provider, model=model, at_ns=at_ns)
        assert result.status == "priced", (recording.source, result)
        assert result.usd
        priced += 1
    assert priced > 100
