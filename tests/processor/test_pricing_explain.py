"""`farthing price`: the bill for a person, for a program, and for a mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farthing_processor.assessment import assess
from farthing_processor.attribution import Attribution
from farthing_processor.facts import Facts
from farthing_processor.pricing.explain import CONTEXT, main, read_call
from farthing_processor.readers import READERS

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
        ({"server.address": "eu.api.openai.com"}, "0.00225", "priced"),
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
        (
            {
                "request.tools[].type": ["function", "web_search_preview_2025_03_11"],
                "response.tool_usage.web_search.num_requests": 2,
            },
            "0.02225",
            "priced",
        ),
        ({"request.tools[].type": "web_search_preview"}, "0.00225", "priced"),
        ({"gen_ai.client.operation.duration": 2.5}, "0.00225", "priced"),
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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("processing", "Batch"),
        ("processing", True),
        ("response.service_tier", 5),
        ("server.address", 5),
        ("server.address", "https://eu.api.openai.com/v1"),
        ("server.address", "eu.api.openai.com:443"),
        ("response.tool_usage.web_search.num_requests", "2"),
        ("response.tool_usage.web_search.num_requests", -2),
        ("response.tool_usage.web_search.num_requests", True),
        ("response.output[].web_search_call.action.type", "search"),
        ("response.output[].web_search_call.action.type", [1]),
        ("response.output[].file_search_call", True),
        ("response.output[].file_search_call", -1),
        ("response.tools[].image_generation.model", []),
        ("response.tool_usage.image_gen", 5),
        ("request.tools[].type", 5),
        ("request.tools[].type", [None]),
        ("gen_ai.client.operation.duration", "2"),
        ("gen_ai.client.operation.duration", -1),
        ("gen_ai.client.operation.duration", True),
    ],
)
def test_a_useless_context_is_named_and_changes_nothing(key: str, value: object) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 100}
    call = CHAT | {"api": "responses", "usage": usage, "context": {key: value}}
    code, out, err = main(json.dumps(call), as_json=True)
    assert (code, json.loads(out)["usd"], json.loads(out)["status"]) == (0, "0.00225", "priced")
    assert err.startswith(f"farthing price: object 1: context {key!r} takes ")
    assert err.endswith(f"{json.dumps(value)} was ignored\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (CALL, "response.service_tier"),
        (CHAT, "response.output[].file_search_call"),
        (CHAT | {"api": "images"}, "response.service_tier"),
        (CHAT, "serviceTier.type"),
        (CALL, "candidates[0].groundingMetadata.webSearchQueries"),
        (CHAT, "response.headers"),
    ],
)
def test_a_context_that_the_api_does_not_have_is_named(call: dict[str, Any], key: str) -> None:
    value = "flex" if key == "response.service_tier" else 1
    code, _, err = main(json.dumps(call | {"context": {key: value}}), as_json=True)
    assert code == 0
    assert err == (
        f"farthing price: object 1: context {key!r} is not of {call['api']} and was ignored\n"
    )


def test_a_context_of_null_is_none() -> None:
    assert priced(CHAT | {"context": None})["usd"] == "0.00225"
    assert priced(CHAT | {"context": dict.fromkeys(CONTEXT)})["usd"] == "0.00225"


def test_nothing_to_price_is_nothing_to_print() -> None:
    assert main("[]", as_json=False) == main("[]", as_json=True) == (0, "", "")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_malformed_object_does_not_cost_the_others_theirs(as_json: bool) -> None:
    _, both, _ = main(json.dumps([CALL, CHAT]), as_json=as_json)
    mixed = [5, CALL, CALL | {"model": 5}, CHAT | {"context": {"sku": 1}}]
    code, out, err = main(json.dumps(mixed), as_json=as_json)
    assert (code, out) == (2, both)
    assert err.splitlines() == [
        "farthing price: Object 1: give a JSON object with provider, api, model and usage.",
        "farthing price: Object 3: model is missing; give it as a string.",
        "farthing price: object 4: context 'sku' is not understood and was ignored",
    ]


OPENAI_SHAPED = {"prompt_tokens": -1, "completion_tokens": 100}


@pytest.mark.parametrize(
    ("api", "usage", "operation", "status"),
    [
        ("chat.completions", OPENAI_SHAPED, "chat", "usage_missing"),
        ("completions", OPENAI_SHAPED, "text_completion", "usage_missing"),
        ("batch", OPENAI_SHAPED, "chat", "usage_missing"),
        ("batch", {"prompt_tokens": 100, "completion_tokens": -1}, "chat", "usage_missing"),
        ("responses", {"input_tokens": 5}, "chat", "usage_missing"),
        ("embeddings", {"prompt_tokens": 100}, "embeddings", "partial"),
        ("images", {"output_tokens": 100}, "image_generation", "partial"),
    ],
)
@pytest.mark.parametrize("host", [None, "eu.api.openai.com"])
def test_the_command_says_what_the_span_says(
    api: str, usage: dict[str, Any], operation: str, status: str, host: str | None
) -> None:
    model = "gpt-image-2" if api == "images" else "gpt-5"
    call = CHAT | {"api": api, "model": model, "usage": usage, "context": {"server.address": host}}
    answer = priced(call)
    assert answer["status"] == status
    read = READERS["openai", api]({"usage": usage})
    facts = Facts("openai", model, None, host, operation, read, read_call(call).at_ns)
    span = assess(facts, Attribution())
    assert (span.status, span.reason) == (status, answer["reason"])
    assert span.cost == (answer["usd"] and float(answer["usd"]))


def test_a_batch_of_embeddings_has_no_output() -> None:
    batch = {"api": "batch", "model": "text-embedding-3-large"}
    answer = priced(CHAT | batch | {"usage": {"prompt_tokens": 1000, "total_tokens": 1000}})
    assert answer["usd"] is not None


@pytest.mark.parametrize("name", ["\ud800", "\x1b[31mred", "a\nb", "\u202etxt"])
def test_names_do_not_reach_the_terminal_raw(name: str) -> None:
    image = {"output_tokens": 5}
    call = CHAT | {"api": "responses", "model": name, "usage": {"input_tokens": 1}}
    context = {
        "response.service_tier": name,
        "response.tools[].image_generation.model": name,
        "response.tool_usage.image_gen": image,
        name: 1,
    }
    for model in (name, "gpt-5"):
        full = call | {"model": model, "usage": {"input_tokens": 1, "output_tokens": 1}}
        code, out, err = main(json.dumps(full | {"context": context}), as_json=False)
        assert code == 0
        assert (out + err).replace("\n", "").isprintable()
        assert name.encode("unicode_escape").decode() in out
        (out + err).encode()


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
        (json.dumps([CALL | {"model": 5}]), "Object 1: model is missing"),
        (
            json.dumps(CALL | {"api": "telepathy"}),
            "api 'telepathy' is not known; give one of audio.speech",
        ),
        (json.dumps(CALL | {"usage": [1]}), "usage must be the usage object"),
        (json.dumps(CALL | {"context": 5}), "context must be an object"),
        (json.dumps(CALL | {"context": []}), "context must be an object"),
        (json.dumps(CALL | {"context": False}), "context must be an object"),
        (b"\xff{}", "the input is not UTF-8"),
        (json.dumps(CALL | {"timestamp": "yesterday"}), "timestamp 'yesterday' is not ISO 8601"),
        (json.dumps(CALL | {"timestamp": 5}), "timestamp 5 is not ISO 8601"),
        (
            json.dumps(
                CHAT
                | {"api": "responses"}
                | {"context": {"response.output[].file_search_call": 10**12}}
            ),
            "must be a count",
        ),
    ],
)
def test_malformed(text: str | bytes, says: str) -> None:
    code, out, err = main(text, as_json=True)
    assert (code, out) == (2, "")
    assert err.startswith("farthing price: ")
    assert err.count("\n") == 1
    assert says in err
