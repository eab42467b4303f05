"""What holds for every reader, whatever the JSON: it raises nothing, and its counts are counts."""

from __future__ import annotations

import ast
import inspect
import re
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing_processor.pricing import price
from farthing_processor.readers import READERS, bedrock_invoke
from farthing_processor.usage import COUNTS, MAX_COUNT, Usage, checked, is_duration

PACKAGE = READERS["openai", "batch"].__module__.rpartition(".")[0]
PROVIDERS = {reader: provider for (provider, _), reader in READERS.items()}


def modules_of(reader: Any) -> list[Any]:
    """The reader's module, and those of the package that it takes something from, and so on."""
    found = [inspect.getmodule(reader)]
    for module in found:
        for value in vars(module).values():
            origin = inspect.getmodule(value)
            inside = origin is not None and origin.__name__.startswith(f"{PACKAGE}.")
            if inside and origin not in found:
                found.append(origin)
    return found


@cache
def members_of(reader: Any) -> list[str]:
    """Every name that a reader may look for: the words in its source, in either case."""
    words = {
        node.value
        for module in modules_of(reader)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch("[A-Za-z0-9_-]{3,}", node.value)
    }
    return sorted(words | {re.sub("([A-Z])", r"_\1", word).lower() for word in words})


NUMBERS = st.integers(0, 60) | st.integers() | st.floats() | st.booleans() | st.none()
SCALARS = NUMBERS | st.text(max_size=5) | st.sampled_from(["TEXT", "AUDIO", "IMAGE", "1h", "USD"])
WITHIN = st.sampled_from(["usage", "usageMetadata", "meta", "metadata", "response", "x_groq"])


@cache
def bodies(reader: Any) -> st.SearchStrategy[Any]:
    members = st.sampled_from(members_of(reader))
    inner = st.recursive(
        SCALARS | members,
        lambda deeper: st.dictionaries(members, deeper, max_size=8) | st.lists(deeper, max_size=3),
        max_leaves=20,
    )
    row = st.dictionaries(members, st.integers(0, 9) | inner, max_size=3)
    rows = st.lists(row | inner, min_size=1, max_size=3)
    # Mostly small counts, so that they often agree with their total and pass the first guards.
    return st.dictionaries(members, st.integers(0, 9) | rows | inner, max_size=40)


def assert_sound(read: Usage) -> None:
    for name in COUNTS:
        count = getattr(read, name)
        nothing = Usage._field_defaults[name]
        assert (count is None and nothing is None) or type(count) is int, name
        assert count is None or count >= 0, name
    for amount in (read.input_audio_seconds, read.reported_cost):
        assert amount is None or isinstance(amount, Decimal)
    assert read.input_audio_seconds is None or is_duration(read.input_audio_seconds)
    assert isinstance(read.tier, str)
    assert isinstance(read.problem, str)
    fitted = checked(read)
    whole_in, whole_out = fitted.input_tokens or 0, fitted.output_tokens or 0
    assert fitted.cache_read_tokens + fitted.cache_write_tokens <= whole_in
    assert fitted.cache_write_1h_tokens + fitted.cache_write_12h_tokens <= fitted.cache_write_tokens
    assert fitted.input_audio_tokens + fitted.input_image_tokens <= whole_in
    assert fitted.output_audio_tokens + fitted.output_image_tokens <= whole_out
    # A reader leaves nothing for the guard to cut: what it says is what is priced.
    in_range = all((getattr(read, name) or 0) <= MAX_COUNT for name in COUNTS)
    assert fitted is read or not in_range
    for _, part in read.also:
        assert_sound(part)


def test_the_words_of_every_reader_are_tried() -> None:
    for key, words in {
        ("openai", "chat.completions"): {"prompt_cache_hit_tokens", "cached_tokens", "x_groq"},
        ("aws.bedrock", "converse"): {"cacheDetails", "totalTokens", "billed_units"},
        ("gcp.gemini", "generate_content"): {"cacheTokensDetails", "cache_tokens_details"},
        ("anthropic", "messages"): {"ephemeral_1h_input_tokens"},
    }.items():
        assert words <= set(members_of(READERS[key]))


@pytest.mark.parametrize("reader", PROVIDERS, ids=lambda reader: reader.__name__)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_json_can_make_a_reader_raise(reader: Any, data: Any) -> None:
    usage, rest = data.draw(bodies(reader)), data.draw(bodies(reader))
    for body in (usage, {**rest, data.draw(WITHIN): usage}, {"usage": list(rest.values())}):
        read = reader(body)
        if read is not None:
            assert_sound(read)
            price(read, provider=PROVIDERS[reader], model="gpt-5.5", at_ns=0)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_header_can_make_a_reader_raise(data: Any) -> None:
    headers = data.draw(bodies(bedrock_invoke))
    read = bedrock_invoke({}, {f"X-{name}": "1" for name in headers} | headers)
    if read is not None:
        assert_sound(read)


def test_an_api_has_one_shape_whoever_speaks_it() -> None:
    by_api: dict[str, set[Any]] = {}
    for (_, api), reader in READERS.items():
        by_api.setdefault(api, set()).add(reader)
    assert {api for api, found in by_api.items() if len(found) > 1} == set()
