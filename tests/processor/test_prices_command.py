"""`farthing prices`: show, search, diff, export and update, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farthing_processor.pricing import price, tables
from farthing_processor.pricing.commands import main
from farthing_processor.pricing.pack import Pack, shipped
from farthing_processor.usage import Usage
from tests.processor.test_refresh import edited, input_of

Run = Any


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """The command with a kept table of its own; returns exit code, stdout and stderr."""
    monkeypatch.setenv("FARTHING_PRICES_TABLE", str(tmp_path / "kept.jsonl"))

    def command(*arguments: str) -> tuple[int, str, str]:
        tables.keep_at("elsewhere")
        tables.keep_at(None)
        capsys.readouterr()
        code = main(list(arguments))
        return code, *capsys.readouterr()

    yield command
    monkeypatch.undo()
    tables.keep_at("elsewhere")
    tables.keep_at(None)


def test_show_for_a_person(run: Run) -> None:
    code, out, err = run("show", "gpt-5.5", "--provider", "openai", "--at", "2026-11-20T12:00:00Z")
    assert (code, err) == (0, "")
    assert out.startswith("openai/gpt-5.5; matched: exact; genai-prices 0.2.3\n")
    lines = [line.split() for line in out.splitlines()]
    assert ["input", "$5/M", "genai-prices", "0.2.3"] in lines
    assert ["cache", "write", "$5/M", "as", "input"] in lines
    assert "above 272,000 input tokens, for the whole request" in out
    assert ["input", "$10/M", "genai-prices", "0.2.3"] in lines
    assert "processing batch, from 2026-10-14 UTC" in out


def test_show_says_when_a_price_changes_and_who_says_so(run: Run) -> None:
    arguments = ("show", "deepseek-v4-pro", "--provider", "deepseek", "--at", "2026-11-20T07:00")
    code, out, _ = run(*arguments)
    assert code == 0
    assert "holding from 2026-11-20 06:00 until 2026-11-20 10:00 UTC" in out
    assert "https://api-docs.deepseek.com/" in out
    (shown,) = map(json.loads, run(*arguments, "--json")[1].splitlines())
    assert shown["until"] == "2026-11-20T10:00:00+00:00"
    (rate,) = [each for each in shown["rates"] if each["what"] == "input"]
    assert (rate["usd"], rate["per"], rate["above_input_tokens"]) == ("1.32", "M", None)
    assert rate["source"].startswith("https://api-docs.deepseek.com/")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "deepseek", "google", "groq"])
def test_what_show_says_is_what_is_charged(provider: str, run: Run) -> None:
    """Every model: the shown rate of input is what a million tokens of input cost."""
    at = "2026-11-20T12:00:00Z"
    seen = 0
    for model in list(shipped().provider(provider).models)[:60]:  # type: ignore[union-attr]
        code, out, _ = run("show", model, "--provider", provider, "--at", at, "--json")
        assert code == 0
        rates = [
            (each["above_input_tokens"] or -1, float(each["usd"]))
            for each in json.loads(out)["rates"]
            if each["what"] == "input"
        ]
        charged = price(
            Usage(1_000_000, 0), provider=provider, model=model, at_ns=1_795_176_000 * 10**9
        )
        if rates and charged.usd is not None:
            assert max(rates)[1] == charged.usd, model
            seen += 1
    assert seen > 5


def test_show_without_a_provider_and_by_path(run: Run) -> None:
    assert run("show", "gpt-4o")[1].startswith("openai/gpt-4o;")
    assert run("show", "anthropic/claude-sonnet-4-6")[1].startswith("anthropic/claude-sonnet-4-6;")
    served = run("show", "gpt-4o", "--provider", "azure.ai.openai")[1]
    assert served.startswith("openai/gpt-4o, served by azure;")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "gpt-4oo", "--provider", "openai"), 1, "Nearest: gpt-4o (openai)"),
        (("show", "gpt-4o", "--provider", "opnai"), 1, "Nearest: openai."),
        (("show", "qqqqqqq"), 1, "Try farthing prices search"),
        (("show", "gpt-4o", "--at", "tomorrow"), 2, "is not ISO 8601"),
        (("search", "qqqqqqq"), 1, "has no model 'qqqqqqq'"),
        (("diff", "shipped", "/nowhere"), 2, "/nowhere: it cannot be read"),
        (("update", "http://host/x"), 2, "give an https URL or a file"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: tuple[str, ...], code: int, says: str, run: Run
) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert says in err


def test_search(run: Run) -> None:
    code, out, _ = run("search", "claude-sonnet-4-6")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["anthropic/claude-sonnet-4-6", "$3/M", "$0.3/M", "$15/M"] in rows
    objects = list(map(json.loads, run("search", "claude-sonnet-4-6", "--json")[1].splitlines()))
    assert len(objects) == len(rows) - 1
    assert {"provider": "anthropic", "model": "claude-sonnet-4-6"}.items() <= objects[0].items()
    assert objects[0]["rates"]["input_mtok"] == "3"


def test_diff(run: Run, tmp_path: Path) -> None:
    assert run("diff", "shipped", "current") == (0, "", "")
    new = tmp_path / "new.jsonl"
    new.write_text(edited({"openai/gpt-4o": input_of("2"), "openai/o3": None}))
    code, out, _ = run("diff", "shipped", str(new))
    assert code == 1
    assert out.splitlines()[:2] == ["genai-prices 0.2.3 -> genai-prices 0.3.0", "- openai/o3"]
    assert out.splitlines()[2].split() == ["openai/gpt-4o", "input_mtok", "2.5", "->", "2"]
    _, out, _ = run("diff", "shipped", str(new), "--json")
    assert [json.loads(line)["change"] for line in out.splitlines()] == ["removed", "rate"]


def test_what_is_exported_can_be_taken_elsewhere(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("export")
    assert Pack(out).version == shipped().version
    file = tmp_path / "export.jsonl"
    file.write_text(out)
    assert run("diff", "shipped", str(file)) == (0, "", "")
    whole = json.loads(run("export", "--json")[1])
    assert whole["version"] == "genai-prices 0.2.3"
    assert {"provider": "openai", "id": "gpt-4o"}.items() <= next(
        each for each in whole["models"] if (each["provider"], each["id"]) == ("openai", "gpt-4o")
    ).items()


def test_update_keeps_a_table_and_holds_back_what_moved_far(run: Run, tmp_path: Path) -> None:
    new = tmp_path / "new.jsonl"
    new.write_text(edited({"openai/gpt-4o": input_of("25"), "openai/gpt-4o-mini": input_of("0.1")}))
    code, out, err = run("update", str(new))
    assert (code, err) == (0, "")
    assert "0 models added, 0 removed, 1 changed" in out
    assert "openai/gpt-4o. Look at them with farthing prices diff current" in out
    assert "$2.5/M" in run("show", "gpt-4o", "--provider", "openai")[1]
    assert "$0.1/M" in run("show", "gpt-4o-mini", "--provider", "openai")[1]
    outcome = json.loads(run("update", str(new), "--accept", "--json")[1])
    assert outcome["kept"] == str(tmp_path / "kept.jsonl")
    assert "$25/M" in run("show", "gpt-4o", "--provider", "openai")[1]
    code, out, _ = run("update", str(new))
    assert (code, "says nothing new" in out) == (0, True)


def test_update_refuses_and_leaves_what_there_was(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    old.write_text(edited({"openai/gpt-4o": input_of("2")}, "0.2.2"))
    code, out, err = run("update", str(old))
    assert (code, out) == (1, "")
    assert "is refused: It is genai-prices 0.2.2" in err
    assert not (tmp_path / "kept.jsonl").exists()


def test_update_without_a_source_takes_the_installed_package(run: Run) -> None:
    code, out, _ = run("update")
    assert (code, "says nothing new" in out) == (0, True)


def test_update_where_no_table_is_to_be_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_PRICES_TABLE", "shipped")
    code, _, err = run("update")
    assert (code, "unset it to update" in err) == (2, True)
