"""What may be given as the results of a batch, and what is wrong with anything else."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

import farthing
from farthing import batches
from tests.instrumentation import shapes
from tests.instrumentation.batch_shapes import (
    ANTHROPIC,
    OPENAI,
    anthropic_results,
    chat,
    file,
    jsonl,
    line,
    message,
    result,
    unbilled,
)
from tests.instrumentation.conftest import Provider, Telemetry


@pytest.fixture(autouse=True)
def _nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_RECORDED", batches.Recorded())


SHAPES = {
    "text": lambda text, _: text,
    "bytes": lambda text, _: text.encode(),
    "lines of text": lambda text, _: text.split("\n"),
    "lines of bytes": lambda text, _: iter(text.encode().split(b"\n")),
    "decoded": lambda text, _: [json.loads(item) for item in text.split("\n") if item],
    "a file of text": lambda _, path: path.open(encoding="utf-8"),
    "a file of bytes": lambda _, path: path.open("rb"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_every_shape(telemetry: Telemetry, tmp_path: Path, shape: str, api: str) -> None:
    """Whatever a string in it holds: U+2028 ends a line for Python, not for JSON lines."""
    if api == "openai":
        body = chat(choices=[{"finish_reason": "stop", "message": {"content": "a\u2028b\x85c"}}])
        lines, usd = [line(body), line(chat(2), 2)], 2 * Decimal(OPENAI["expected_usd"])
    else:
        body = message(content=[{"type": "text", "text": "a\u2028b\x85c"}])
        lines, usd = [result(body), result(message(2))], 2 * Decimal(ANTHROPIC["expected_usd"])
    path = tmp_path / "output.jsonl"
    path.write_text(text := jsonl(*lines), encoding="utf-8")
    given = SHAPES[shape](text, path)
    assert farthing.record_batch(given) == (2, 0, 0, 0, 0, usd)
    assert len(telemetry.spans()) == 2
    if hasattr(given, "close"):
        given.close()


def test_a_list_of_the_clients_own_objects(telemetry: Telemetry, provider: Provider) -> None:
    found = list(anthropic_results(provider, jsonl(result(message()), unbilled("expired"))))
    assert [type(item).__name__ for item in found] == ["MessageBatchIndividualResponse"] * 2
    assert farthing.record_batch(found)[:3] == (1, 0, 1)


async def test_results_that_come_asynchronously(telemetry: Telemetry, provider: Provider) -> None:
    batch = {
        "id": "b",
        "type": "message_batch",
        "results_url": "https://api.anthropic.com/v1/messages/batches/b/results",
    }
    provider.answers(shapes.ok(batch), file(jsonl(result(message()))))
    results = await provider.async_anthropic().messages.batches.results("b")
    with pytest.raises(TypeError, match=r"give it \[result async for result in results\]\.$"):
        farthing.record_batch(results)
    summary = farthing.record_batch([result async for result in results])
    assert summary.usd == Decimal(ANTHROPIC["expected_usd"])
    client = provider.answers(file(jsonl(line(chat())))).async_openai()
    assert farthing.record_batch(await client.files.content("file-1")).calls == 1


BAD: list[Any] = [
    '{"custom_id": "r", "response": {"status_co',
    "[]",
    "7",
    '{"custom_id": "r", "response": {"status_code": 200, "body": "text"}, "error": null}',
    '{"custom_id": "r", "response": {"status_code": 200, "body": {"object": "list?"}}}',
    '{"custom_id": "r", "response": {"status_code": "200 OK", "body": {"object": ["list"]}}}',
    '{"custom_id": "r", "response": {"body": {"object": ["list"]}}}',
    '{"custom_id": "r", "result": {"type": "succeeded", "message": null}}',
    '{"custom_id": "r", "result": {"type": "thought"}}',
    '{"custom_id": "r", "method": "POST", "url": "/v1/chat/completions", "body": {}}',
    '{"custom_id": ' + "[" * 100_000,
    None,
    object(),
    5,
]


def test_bad_lines_among_good_ones(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    good = [line(chat(n), n) for n in range(len(BAD) + 1)]
    mixed = [good[-1], *(item for pair in zip(BAD, good, strict=False) for item in pair)]
    summary = farthing.record_batch(mixed)
    assert summary.calls == len(good)
    assert summary.unreadable + summary.failed == len(BAD)
    assert summary.failed == 1  # whatever its status is, it is not 200
    (warning,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert warning.getMessage() == (
        "record_batch() left out 13 of 29 lines, the first of them line 2: they are not the result "
        "of a batch, so look whether the file is whole"
    )


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("batch_abc123", ValueError, "Nothing given is the result of a batch: record_batch() "),
        (b"output.jsonl", ValueError, "client.files.content(batch.output_file_id)"),
        ([shapes.chat()], ValueError, "client.messages.batches.results(batch.id)"),
        (Path("output.jsonl"), TypeError, "an open file of it, or a list of its lines or results"),
        (line(chat()), TypeError, "; not a dict."),
        (openai.types.Batch.construct(id="batch_1"), TypeError, "; not a Batch."),
        (None, TypeError, "; not a NoneType."),
        (7, TypeError, "; not a int."),
    ],
)
def test_what_is_not_the_results_of_a_batch(
    telemetry: Telemetry, given: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as raised:
        farthing.record_batch(given)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert telemetry.spans() == []


@pytest.mark.parametrize("given", ["", b"", "\n\n", []])
def test_no_results(telemetry: Telemetry, given: Any) -> None:
    assert farthing.record_batch(given) == (0, 0, 0, 0, 0, 0)
