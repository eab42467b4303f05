"""docs/prices.md: what the page shows is what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from farthing_processor.pricing import comparing, explain, refresh, tables
from farthing_processor.pricing.commands import COMMANDS, main
from farthing_processor.settings import VARIABLES

PAGE = (Path(__file__).parents[2] / "docs" / "prices.md").read_text()


def shown(command: str) -> str:
    """What the page says that a command prints."""
    (found,) = re.findall(rf"```console\n\$ {re.escape(command)}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_the_worked_example() -> None:
    (call,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    printed = explain.main(call, as_json=False, why=True)
    assert printed == (0, shown("farthing price --explain < call.json"), "")


def test_the_name_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    command = "farthing prices show gpt-5.5x --provider openai"
    assert main(shlex.split(command)[2:]) == 1
    assert capsys.readouterr().err == shown(command)


def test_every_command_is_named() -> None:
    assert set(re.findall(r"^farthing prices (\w+)", PAGE, re.MULTILINE)) == set(COMMANDS)


def test_variables_and_limits_are_the_codes() -> None:
    variables = {variable for variable, *_ in VARIABLES}
    assert set(re.findall(r"\bFARTHING_[A-Z_]+\b", PAGE)) <= variables
    assert f"{tables.MAX_BYTES // 10**6} MB" in PAGE
    assert f"{refresh.TIMEOUT_S} s," in PAGE
    assert (comparing.FAR, str(comparing.SHARE)) == (5, "0.1")
