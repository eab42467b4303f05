"""Fingerprints of prompts: what makes two the same, or begin the same, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from farthing_processor.prompts import FIRST, Fingerprint, fingerprint

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
BODY: dict[str, Any] = {"model": "m", "messages": MESSAGES, "temperature": 0.2}


def whole(**changes: Any) -> int:
    found = fingerprint({**BODY, **changes}, True)
    assert found is not None
    assert found.whole is not None
    return found.whole


@pytest.mark.parametrize(
    "changes",
    [{"temperature": 1.0}, {"stream": True}, {"metadata": {"a": "b"}}, {"tools": None}],
)
def test_the_same_prompt(changes: dict[str, Any]) -> None:
    assert whole(**changes) == whole()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "n"},
        {"messages": MESSAGES[:1]},
        {"messages": [*MESSAGES, {"role": "assistant", "content": ""}]},
        {"messages": [MESSAGES[0], {"role": "user", "content": "hi", "name": "me"}]},
        {"messages": [MESSAGES[0], {"role": "user", "content": [{"type": "text", "text": "ho"}]}]},
        {"system": "Be kind."},
        {"system": [{"type": "text", "text": "Be kind."}]},
        {"instructions": "Be kind."},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}]},
        {"functions": [{"name": "f"}]},
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
    ],
)
def test_another_prompt(changes: dict[str, Any]) -> None:
    assert whole(**changes) != whole()


@pytest.mark.parametrize("given", ["hi", ["hi", "ho"], [1, 2, 3], [[1, 2], [3]]])
def test_what_is_embedded_or_completed(given: Any) -> None:
    for name in ("input", "prompt"):
        one = fingerprint({"model": "m", name: given}, True)
        assert one == fingerprint({"model": "m", name: given}, True)
        assert one != fingerprint({"model": "m", name: given * 2}, True)


def test_it_is_the_same_in_every_process() -> None:
    script = f"from farthing_processor.prompts import *; print(fingerprint({BODY!r}, True))"
    for seed in ("1", "2"):
        out = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert out.strip() == str(fingerprint(BODY, True))


class Row(BaseModel):
    role: str = "user"


def test_what_is_not_plain_is_left_alone() -> None:
    def rows() -> Iterator[Any]:
        yield from MESSAGES

    given = rows()
    for messages in (given, [given], [Row()], [{"content": given}], [{"content": b"x"}], object()):
        assert fingerprint({"model": "m", "system": "s", "messages": messages}, True) is None
    assert list(given) == MESSAGES
    assert fingerprint({"model": "m", "messages": MESSAGES, "tools": [rows()]}, True) is None
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        fingerprint({"messages": endless}, True)


def test_without_a_prompt_there_is_nothing_to_tell() -> None:
    assert fingerprint({"model": "m"}, True) is None
    assert fingerprint({"id": "resp_1"}, True) is None
    assert fingerprint({"system": "s", "messages": object()}, True) is None


def test_it_is_only_made_for_what_it_is_wanted_for() -> None:
    assert fingerprint(BODY, False) is None
    long = {**BODY, "system": "x" * FIRST}
    found = fingerprint(long, False)
    assert found is not None
    assert found.whole is None
    assert len(found.prefixes) == 1
    assert fingerprint({**long, "previous_response_id": "resp_1"}, False) is None
    there = fingerprint({**long, "previous_response_id": "resp_1"}, True)
    assert there is not None
    assert there.prefixes == ()


def alike(one: Fingerprint | None, other: Fingerprint | None) -> int:
    assert one is not None
    assert other is not None
    pairs = zip(one.prefixes, other.prefixes, strict=False)
    return [a == b for a, b in pairs].count(True)


def test_prefixes() -> None:
    """The same as far as the prompts are, by powers of two."""

    def of(text: str, more: int = 0, **changes: Any) -> Fingerprint | None:
        messages = [{"content": text}, *({"content": "and?"} for _ in range(more))]
        return fingerprint({"model": "m", "messages": messages, **changes}, False)

    text = "0123456789" * 4000
    assert len(of(text).prefixes) == 4  # type: ignore[union-attr]
    assert alike(of(text), of(text, 3)) == 4
    assert alike(of(text), of(text[:20_000] + "?" + text[20_000:])) == 3
    assert alike(of(text), of("?" + text)) == 0
    assert alike(of(text), of(text, system="s")) == 0
    assert alike(of(text), of(text, model="n")) == 0
    assert alike(of(text), of(text, tools=[{"name": "f"}])) == 0


def test_halves_of_characters_are_no_obstacle() -> None:
    assert whole(system="\\ud800") != whole(system="\\ud801")
    assert whole(system="\ud800") != whole(system="\ud801")
