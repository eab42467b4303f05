"""`farthing price`: the bill for a person, for a program, and for a mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing_processor.pricing.explain import CONTEXT, main

CALL: dict[str, Any] = {
    "provider": "anthropic",
    "api": "messages",
    "model": "claude-sonnet-4-6",
    "timestamp": "2026-11-20T12:00:00Z",
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 100000,
        "cache_creation_input_tokens": 5000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 3000},
        "output_tokens": 500,
    },
}
CHAT: dict[str, Any] = {
    "provider": "openai",
    "api": "chat.completions",
    "model": "gpt-5",
    "timestamp": "2026-11-20T12:00:00Z",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
}


def priced(call: dict[str, Any]) -> dict[str, Any]:
    code, out, err = main(json.dumps(call), as_json=True)
    assert (code, err) == (0, ""), err
    return json.loads(out)


def test_for_a_person() -> None:
    assert main(json.dumps(CALL), as_json=False) == (
        0,
        """\
anthropic claude-sonnet-4-6
  input                 10 x $3/M    = $0.00003
  cache read       100,000 x $0.3/M  =    $0.03
  cache write        2,000 x $3.75/M =  $0.0075
  1 h cache write    3,000 x $6/M    =   $0.018
  output               500 x $15/M   =  $0.0075
  total                                $0.06303
  priced; model matched: exact; genai-prices 0.2.3
""",
        "",
    )


def test_for_a_program() -> None:
    assert priced(CALL) == {
        "usd": "0.06303",
        "status": "priced",
        "classes": {
            "input": "0.00003",
            "cache_read": "0.03",
            "cache_write": "0.0255",
            "output": "0.0075",
        },
        "match": "exact",
        "prices": "genai-prices 0.2.3",
        "problem": None,
        "reason": None,
    }
    _, out, _ = main(json.dumps([CALL, CHAT, CALL]), as_json=True)
    assert [json.loads(line)["usd"] for line in out.splitlines()] == [
        "0.06303",
        "0.00225",
        "0.06303",
    ]


def test_a_tiny_cost_has_no_exponent() -> None:
    tiny = CHAT | {"model": "gpt-5-nano", "usage": {"prompt_tokens": 1, "completion_tokens": 0}}
    assert priced(tiny)["usd"] == "0.00000005"


@pytest.mark.parametrize(
    ("context", "usd", "status"),
    [
        ({"response.service_tier": "flex"}, "0.001125", "priced"),
        ({"processing": "batch"}, "0.001125", "priced"),
        ({"server.address": "api.openai.com"}, "0.00225", "priced"),
        ({"server.address": "eu.api.openai.com"}, "0.00225", "partial"),
        ({"server.address": "acme.services.ai.azure.com"}, "0.00225", "priced"),
        ({"server.address": "gateway.internal"}, "0.00225", "priced"),
        ({"response.tool_usage.web_search.num_requests": 2}, "0.02225", "priced"),
        (
            {"response.output[].web_search_call.action.type": ["search", "open_page"]},
            "0.01225",
            "priced",
        ),
        ({"response.output[].file_search_call": 4}, "0.01225", "priced"),
        (
            {
                "response.tools[].image_generation.model": "gpt-image-2",
                "response.tool_usage.image_gen": {"input_tokens": 0, "output_tokens": 1000},
            },
            "0.03225",
            "priced",
        ),
        ({"response.tool_usage.image_gen": {"output_tokens": 1000}}, "0.00225", "partial"),
    ],
)
def test_context(context: dict[str, Any], usd: str, status: str) -> None:
    assert context.keys() <= CONTEXT.keys()
    usage = {"input_tokens": 1000, "output_tokens": 100}
    answer = priced(CHAT | {"api": "responses", "usage": usage, "context": context})
    assert (answer["usd"], answer["status"]) == (usd, status)


def test_unknown_context_is_named() -> None:
    code, out, err = main(json.dumps([CALL, CALL | {"context": {"sku": "PTU"}}]), as_json=True)
    assert code == 0
    assert len(out.splitlines()) == 2
    assert err == "farthing price: object 2: context 'sku' is not understood and was ignored\n"


@pytest.mark.parametrize("provider", ["azure", "azure.ai.openai"])
def test_short_and_conventional_provider_names(provider: str) -> None:
    assert priced(CHAT | {"provider": provider})["usd"] == "0.00225"


def test_no_price_is_an_answer() -> None:
    answer = priced(CHAT | {"model": "gpt-99"})
    assert (answer["usd"], answer["status"], answer["reason"]) == (
        None,
        "unpriced",
        "unknown_model",
    )
    code, out, _ = main(json.dumps(CHAT | {"model": "gpt-99"}), as_json=False)
    assert (code, out) == (
        0,
        "openai gpt-99\n  total        unknown\n  unpriced; unknown_model\n",
    )
    assert priced(CHAT | {"usage": None})["status"] == "usage_missing"


def test_the_moment_defaults_to_now() -> None:
    assert priced({key: value for key, value in CALL.items() if key != "timestamp"})["usd"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nope", "the input is not JSON"),
        ("", "the input is not JSON"),
        ("[" * 100_000, "the input is not JSON"),
        ("5", "give a JSON object with provider, api, model and usage"),
        ("{}", "provider is missing"),
        (json.dumps([CALL, CALL | {"model": 5}]), "Object 2: model is missing"),
        (
            json.dumps(CALL | {"api": "telepathy"}),
            "api 'telepathy' is not known; give one of batch",
        ),
        (json.dumps(CALL | {"usage": [1]}), "usage must be the usage object"),
        (json.dumps(CALL | {"context": 5}), "context must be an object"),
        (json.dumps(CALL | {"timestamp": "yesterday"}), "timestamp 'yesterday' is not ISO 8601"),
        (json.dumps(CALL | {"timestamp": 5}), "timestamp 5 is not ISO 8601"),
        (
            json.dumps(CALL | {"context": {"response.output[].file_search_call": 10**12}}),
            "must be a count",
        ),
    ],
)
def test_malformed(text: str, says: str) -> None:
    code, out, err = main(text, as_json=True)
    assert (code, out) == (2, "")
    assert err.startswith("farthing price: ")
    assert err.count("\n") == 1
    assert says in err
