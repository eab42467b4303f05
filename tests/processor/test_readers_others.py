"""Cohere's billed units and Ollama's counts: read, and priced or not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from farthing_processor.assessment import assess
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing import price
from farthing_processor.readers import READERS
from farthing_processor.usage import Usage

NOW = 1_795_176_000 * 10**9  # 2026-11-20T12:00:00Z
COHERE = READERS["cohere", "v2.chat"]
OLLAMA = READERS["ollama", "chat"]

CHAT = {
    "billed_units": {"input_tokens": 5.0, "output_tokens": 418.0},
    "tokens": {"input_tokens": 71.0, "output_tokens": 418.0},
}


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x", "finish_reason": "COMPLETE", "message": {}, "usage": CHAT},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": CHAT}},
        {"text": "Hi", "meta": {"api_version": {"version": "1"}, **CHAT}},
        {"event_type": "stream-end", "response": {"text": "Hi", "meta": CHAT}},
    ],
)
def test_cohere_is_billed_by_its_billed_units(body: dict[str, Any]) -> None:
    read = COHERE(body)
    assert read == Usage(5, 418)
    priced = price(read, provider="cohere", model="command-a-03-2025", at_ns=NOW)
    # 5 x $2.5/M + 418 x $10/M
    assert (priced.status, priced.usd) == ("priced", 0.0041925)


def test_cohere_without_billed_units() -> None:
    assert COHERE({"usage": {"tokens": {"input_tokens": 71.0, "output_tokens": 418.0}}}) is None


def test_no_more_is_cached_than_is_billed() -> None:
    assert COHERE({"usage": {**CHAT, "cached_tokens": 64.0}}) == Usage(5, 418, 5)
    assert COHERE({"usage": {**CHAT, "cached_tokens": 3.0}}) == Usage(5, 418, 3)


def test_counts_of_cohere_that_are_none() -> None:
    read = COHERE({"usage": {"billed_units": {"input_tokens": 1.5, "output_tokens": -1.0}}})
    assert read == Usage(problem="invalid input_tokens; invalid output_tokens")


def test_cohere_embeddings() -> None:
    embed = READERS["cohere", "v2.embed"]
    read = embed({"embeddings": {}, "meta": {"billed_units": {"input_tokens": 1000.0}}})
    assert read == Usage(1000)
    facts = Facts("cohere", "embed-v4.0", operation="embeddings", usage=read, start_ns=NOW)
    said = assess(facts, Attribution())
    assert (said.status, said.cost) == ("priced", 0.00012)


@pytest.mark.parametrize(
    ("units", "inp", "problem"),
    [
        ({"image_tokens": 400}, 400, ""),
        ({"image_tokens": 400, "text_tokens": 100}, 500, ""),
        ({"image_tokens": 400, "text_tokens": 100, "input_tokens": 500}, 500, ""),
        ({"image_tokens": 400, "text_tokens": 100, "input_tokens": 100}, 500, ""),
        ({"image_tokens": 400, "input_tokens": 400}, 400, ""),
        # Nothing says whether the one is in the other.
        ({"image_tokens": 400, "input_tokens": 100}, 500, "input_tokens beside image_tokens"),
    ],
)
def test_cohere_embeddings_of_images(units: dict[str, int], inp: int, problem: str) -> None:
    read = READERS["cohere", "v2.embed"]({"meta": {"billed_units": units}})
    beside = (("image tokens", Usage()),)  # the rate of text is only the least that they cost
    assert read == Usage(inp, input_image_tokens=400, also=beside, problem=problem)


def test_cohere_rerank_is_billed_by_the_search() -> None:
    body = {"results": [{"index": 0}], "meta": {"billed_units": {"search_units": 3.0}}}
    read = READERS["cohere", "v2.rerank"](body)
    assert read == Usage(file_searches=3)
    facts = Facts("cohere", "rerank-v3.5", operation="rerank", usage=read, start_ns=NOW)
    said = assess(facts, Attribution())
    assert (said.status, said.cost, said.reason) == ("unpriced", None, "unknown_model")


def test_other_units_of_cohere_have_no_known_price() -> None:
    units = {"input_tokens": 10, "output_tokens": 5, "classifications": 3}
    read = COHERE({"usage": {"billed_units": units}})
    priced = price(read, provider="cohere", model="command-a", at_ns=NOW)
    assert (priced.status, priced.problem) == ("partial", "no price for classifications")


def test_coheres_client() -> None:
    cohere = import_module("cohere")
    usage = {**CHAT, "cached_tokens": 3.0}
    assert COHERE({"usage": cohere.Usage.model_validate(usage)}) == Usage(5, 418, 3)


ANSWER = {
    "model": "llama3.1:8b",
    "done": True,
    "total_duration": 4883583458,
    "prompt_eval_count": 26,
    "eval_count": 298,
}


def test_ollama() -> None:
    assert OLLAMA(ANSWER) == Usage(26, 298)
    assert OLLAMA({**ANSWER, "prompt_eval_cached_count": 20}) == Usage(26, 298, 20)
    assert OLLAMA({"message": {"content": "Hi"}, "done": False}) is None
    assert READERS["ollama", "embed"]({"embeddings": [[0.1]], "prompt_eval_count": 8}) == Usage(8)


def test_ollama_has_no_price_and_is_not_free() -> None:
    facts = Facts("ollama", "llama3.1:8b", usage=OLLAMA(ANSWER), start_ns=NOW)
    said = assess(facts, Attribution())
    assert (said.status, said.cost, said.reason) == ("unpriced", None, "unknown_provider")


def test_a_prompt_that_ollama_did_not_count_is_unknown() -> None:
    for body in (
        {name: value for name, value in ANSWER.items() if name != "prompt_eval_count"},
        {**ANSWER, "prompt_eval_count": None, "prompt_eval_cached_count": 26},
    ):
        assert OLLAMA(body) == Usage(None, 298)
        facts = Facts("ollama", "llama3.1:8b", usage=OLLAMA(body), start_ns=NOW)
        assert assess(facts, Attribution()).status == "usage_missing"


def test_more_cached_than_there_was() -> None:
    read = OLLAMA({**ANSWER, "prompt_eval_cached_count": 30})
    assert read == Usage(26, 298, 26, problem="parts exceed their whole")


def test_ollamas_client() -> None:
    ollama = import_module("ollama")
    body = {**ANSWER, "message": {"role": "assistant", "content": "Hi"}}
    assert OLLAMA(ollama.ChatResponse.model_validate(body)) == Usage(26, 298)
