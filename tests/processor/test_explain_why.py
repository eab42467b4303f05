"""`farthing price --explain`: what decided a price, and who says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import rules
from farthing_processor.pricing.explain import main

CHAT: dict[str, Any] = {
    "provider": "openai",
    "api": "chat.completions",
    "model": "gpt-5",
    "timestamp": "2026-11-20T12:00:00Z",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
}


def why(call: dict[str, Any]) -> dict[str, str]:
    code, out, _ = main(json.dumps(call), as_json=True, why=True)
    assert code == 0
    return dict(json.loads(out)["explained"])


def test_rates_sources_and_sum() -> None:
    said = why(CHAT)
    assert said["model"] == "gpt-5 is openai/gpt-5, a name that the table lists for it"
    assert said["setting"] == "the standard one"
    assert said["input"] == "$1.25/M: genai-prices 0.2.3"
    assert said["sum"] == "0.00125 input + 0.001 output = 0.00225 exactly, 0.00225 as a double"


@pytest.mark.parametrize(("tokens", "is_above"), [(272_000, False), (272_001, True)])
def test_a_threshold_and_which_side_of_it(tokens: int, is_above: bool) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": 1}
    said = why(CHAT | {"model": "gpt-5.5", "usage": usage})
    assert said["threshold"].startswith(f"{tokens:,} input tokens are ")
    assert ("not above" in said["threshold"]) is not is_above
    assert said["input"].startswith("$10/M" if is_above else "$5/M")


def test_a_tier_with_rates_of_its_own_and_one_without() -> None:
    said = why(CHAT | {"context": {"response.service_tier": "flex"}})
    assert said["setting"].startswith("service_tier flex: genai-prices 0.2.3")
    assert said["input"].endswith("genai-prices 0.2.3, service_tier flex")
    said = why(CHAT | {"context": {"response.service_tier": "turbo"}})
    assert said["setting"] == "service_tier turbo: no rates of its own, so the standard ones"
    assert said["status"].startswith("partial; ")


def test_what_multiplies_a_price_has_its_page() -> None:
    said = why(CHAT | {"model": "gpt-5.5", "context": {"server.address": "eu.api.openai.com"}})
    assert said["input"] == "$5.5/M: genai-prices 0.2.3, x 1.1"
    assert "https://developers.openai.com/" in said["overlay"]


def test_a_rate_that_nobody_lists() -> None:
    details = {"audio_tokens": 5}
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": details}
    said = why(CHAT | {"usage": usage})
    assert said["audio input"] == "nobody lists a rate, so it is left out of the sum"


def test_a_model_that_is_not_there_and_no_usage() -> None:
    said = why(CHAT | {"model": "gpt-9"})
    assert said == {
        "status": "unpriced; unknown_model",
        "model": "the table genai-prices 0.2.3 has no 'gpt-9' of openai",
    }
    assert why(CHAT | {"usage": None}) == {"status": "usage_missing; usage_missing"}


def test_every_line_of_the_bill_has_its_rate() -> None:
    """A line's rate in the explanation is the one that it is multiplied by."""
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 50, "image_tokens": 10},
        "completion_tokens_details": {"audio_tokens": 20},
    }
    for model in ("gpt-realtime", "gpt-audio", "gpt-4o"):
        _, out, _ = main(json.dumps(CHAT | {"model": model, "usage": usage}), False, why=True)
        lines = out.splitlines()
        billed = {
            line[2:].split("  ")[0]: line.partition(" x ")[2].split()[0]
            for line in lines
            if " x $" in line and " = " in line
        }
        said = why(CHAT | {"model": model, "usage": usage})
        assert billed
        for what, rate in billed.items():
            assert said[what].startswith(f"{rate}: "), (model, what)


def test_a_rule_of_the_users_and_what_it_multiplies(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[rule]]\nmodel = "gpt-5*"\ndiscount = "10%"\n')
    rules.use_file(str(file))
    try:
        _, out, _ = main(json.dumps(CHAT), False, why=True)
    finally:
        rules.use(None)
    said = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["rule", "x 0.9 of the table's rates below"] in said
    assert ["input", "$1.25/M: genai-prices 0.2.3"] in said
    assert any(what == "rule" and "own.toml" in why for what, why in said)
    assert "0.002025 exactly" in out


def test_without_being_asked_nothing_is_explained() -> None:
    _, out, _ = main(json.dumps(CHAT), as_json=True)
    assert "explained" not in json.loads(out)
