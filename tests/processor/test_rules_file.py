"""The file of rules: what is wrong is named by file, line and remedy, and the rest is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from farthing_processor.pricing import rules_file

GOOD = '[[rule]]\nmodel = "good"\nfree = true\n'


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "prices.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


@pytest.mark.parametrize(
    ("rule", "line", "says"),
    [
        ('provder = "openai"\nfree = true', 2, "'provder' is not known. Write 'provider'."),
        ('model = "x"\n# free = 1\n\nfreee = true', 5, "'freee' is not known. Write 'free'."),
        ("colour = 3\nfree = true", 2, "'colour' is not known. Use provider, model,"),
        ('model = "x"', 1, "The rule has no price. Give it one of rates, alias, free, gpu_hour,"),
        ("model = 4\nfree = true", 2, "'model' is a pattern in quotes, or a list of them."),
        ('model = ""\nfree = true', 2, "'model' is a pattern in quotes"),
        ('model = ["a", 4]\nfree = true', 2, "'model' is a pattern in quotes"),
        ("model = []\nfree = true", 2, "'model' is a pattern in quotes"),
        ('batch = "yes"\nfree = true', 2, "'batch' is true or false."),
        ('tag = "x"\nfree = true', 2, "'tag' is a table: write tag = { … }."),
        ("tag.team = 4\nfree = true", 2, "'tag.team' is a pattern in quotes"),
        ("free = false", 2, "'free' is true. Leave it out where it is not."),
        ('free = true\nalias = "x"', 2, "'alias' and 'free' contradict each other."),
        ('discount = "5%"\nmultiplier = 2', 3, "'discount' and 'multiplier' contradict"),
        ('gpu_hour = { price = 1 }\ndiscount = "5%"', 3, "'gpu_hour' and 'discount' contradict"),
        (
            "discount = 15",
            2,
            """'discount' takes off a part of the price. Write it as "12.5%" or""",
        ),
        ('discount = "100%"', 2, "'discount' takes off a part"),
        ('discount = "a lot"', 2, "'discount' takes off a part"),
        ("discount = true", 2, "'discount' takes off a part"),
        (
            "multiplier = 0",
            2,
            "'multiplier' is a number, more than 0 and at most 100, such as 1.1.",
        ),
        ("multiplier = -1", 2, "'multiplier' is a number, more than 0"),
        ("multiplier = nan", 2, "'multiplier' is a number, more than 0"),
        ('multiplier = "Infinity"', 2, "'multiplier' is a number, more than 0"),
        ('multiplier = "1e-999999999"', 2, "'multiplier' has more than 12 digits after the point."),
        (
            'per_request = "$1"',
            2,
            """'per_request' is a number, more than 0 and at most 10000, such""",
        ),
        ("per_request = 1e999999", 2, "'per_request' is a number"),
        ("alias = 4", 2, "'alias' is a model, or { provider ="),
        ('alias = { provider = "azure" }', 2, "'alias' is a model, or { provider ="),
        ('alias = { model = "x", region = "eu" }', 2, "'alias' is a model, or { provider ="),
        ("rates = 4", 2, "'rates' is a table: write rates = { … }."),
        ('model = "a"\nrates = { inptu = 3, output = 4 }', 3, "'inptu' is no rate. Write 'input'."),
        ("[rule.rates]\ninput = 1\noutput = -2", 4, "'output' is a number, at least 0"),
        ("rates.input = 1\nrates.output = true", 3, "'output' is a number, at least 0 and at most"),
        ("rates = { input = 0.0000000000001 }", 2, "'input' has more than 12 digits"),
        ("rates = { input = 10001 }", 2, "'input' is a number, at least 0 and at most 10000"),
        ("rates = { web_search = 10 }", 2, "Give input, output"),
        ("rates = { request = 10 }", 2, "'request' is no rate."),
        ("gpu_hour = { gpus = 4 }", 2, "'gpu_hour' lacks the price of an hour of one GPU."),
        ("gpu_hour = { price = 1, gpu = 4 }", 2, "'gpu' is not of 'gpu_hour'. Write 'gpus'."),
        ("gpu_hour = { price = 1, concurrency = 0 }", 2, "'concurrency' is a number, more than 0"),
        ('model = "x\nfree = true', 2, "This is not TOML: "),
        ("free = true\nfree = true", 3, "This is not TOML: "),
        ("free = true\nmodel = [", 3, "This is not TOML: "),
        ("multiplier = " + "9" * 5000, 1, "This is not TOML: "),
        ('free = true\n[rates]\nmodel = "x"', 3, "'rates' belongs to no rule. Write [rule.rates]"),
    ],
)
def test_a_bad_rule_is_named_and_the_others_stand(
    tmp_path: Path, rule: str, line: int, says: str
) -> None:
    path = write(tmp_path, f"# ours\n{GOOD}\n[[rule]]\n{rule}\n\n{GOOD}")
    loaded = rules_file.load(path)
    (problem,) = loaded.problems
    assert problem.startswith(f"{path}, line {5 + line}: ")
    assert says in problem
    assert problem.endswith(" The rule is left out.")
    assert len(loaded.rules) == 2
    assert [rule.line for rule in loaded.rules] == [2, 5 + rule_lines(rule) + 3]


def rule_lines(rule: str) -> int:
    return rule.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "{path} has no rules. Begin each with a line [[rule]]."),
        ("[[rules]]\nfree = true\n", "{path}, line 1: 'rules' belongs to no rule. Begin each"),
        ("\n[rule]\nfree = true\n", "{path}, line 2: 'rule' belongs to no rule. Begin each"),
        ("rule = [\n", "{path}, line 1: This is not TOML: "),
        (b"# \xff\n", "{path} is not UTF-8. Save it as UTF-8."),
        (
            "[[rule]]\nfree = true\n" + GOOD,
            "{path}, line 3: This rule is never reached, because the one of line 1 has no "
            "conditions. Move that one to the end.",
        ),
    ],
)
def test_what_is_wrong_with_a_whole_file(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = write(tmp_path, text)
    (said,) = rules_file.load(path).problems
    assert said.startswith(problem.format(path=path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path / "none.toml"), "a\0b"):
        loaded = rules_file.load(path)
        (problem,) = loaded.problems
        assert problem.startswith(f"{path} cannot be read: ")
        assert problem.endswith(" Give the path of a TOML file.")
        assert loaded.rules == ()


def test_as_other_editors_write_it(tmp_path: Path) -> None:
    """A byte order mark, the line ends of Windows, quoted keys and indented headers."""
    lines = [
        "\ufeff# ours",
        '  [[ "rule" ]]',
        '"model" = "a"',
        '"free" = true',
        "[[rule]]",
        "fre = 1",
    ]
    text = "\r\n".join(lines)
    loaded = rules_file.load(write(tmp_path, text))
    assert [rule.line for rule in loaded.rules] == [2]
    (problem,) = loaded.problems
    assert ", line 6: 'fre' is not known. Write 'free'." in problem


def farthing(*argv: str, prices: str | None = None, stdin: str = "") -> tuple[int, str, str]:
    environ = {name: value for name, value in os.environ.items() if "FARTHING_PRICES" not in name}
    for signal in ("TRACES", "METRICS", "LOGS"):  # the doctor would knock at each
        environ[f"OTEL_{signal}_EXPORTER"] = "none"
    if prices is not None:
        environ["FARTHING_PRICES"] = prices
    done = subprocess.run(
        [sys.executable, "-m", "farthing.cli", *argv],
        input=stdin,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_prices_check(tmp_path: Path) -> None:
    path = write(tmp_path, f'{GOOD}[[rule]]\nstep = "x"\ndiscount = "5%"\n')
    assert farthing("prices", "check", path) == (
        0,
        f"{path}, line 1: model good: free true\n{path}, line 4: step x: discount 5%\n",
        "",
    )
    path = write(tmp_path, f'{GOOD}[[rule]]\nstep = "x"\ndiscount = 5\n')
    code, out, err = farthing("prices", "check", path)
    assert (code, out) == (1, f"{path}, line 1: model good: free true\n")
    assert err.startswith(f"{path}, line 6: 'discount' takes off a part")
    code, out, err = farthing("prices", "check", str(tmp_path / "none.toml"))
    assert (code, out) == (2, "")
    assert "cannot be read" in err


def test_prices_check_knows_what_the_table_has(tmp_path: Path) -> None:
    alias = 'alias = { provider = "azure", model = "gpt-4oo" }'
    path = write(tmp_path, f'[[rule]]\ndeployment = "chat"\n{alias}\n')
    code, _, err = farthing("prices", "check", path)
    assert code == 1
    assert err.startswith(f"{path}, line 1: The table has no price for 'gpt-4oo' of 'azure'")
    path = write(tmp_path, f'[[rule]]\ndeployment = "chat"\n{alias.replace("4oo", "4o")}\n')
    assert farthing("prices", "check", path)[0] == 0


CALL = """{"provider": "openai", "api": "chat.completions", "model": "gpt-4o",
  "usage": {"prompt_tokens": 2006, "completion_tokens": 300},
  "context": {"server.address": "%s"}}"""


def test_farthing_price_uses_the_rules(tmp_path: Path) -> None:
    host = '[[rule]]\nhost = "llm.internal"\nrates = { input = 1, output = 2 }\n'
    path = write(
        tmp_path, f'{host}[[rule]]\nfee = 3\n[[rule]]\nmodel = "gpt-*"\ndiscount = "50%"\n'
    )
    code, out, err = farthing("price", prices=path, stdin=CALL % "llm.internal")
    assert code == 0
    assert "2,006 x $1/M" in out
    assert "$0.002606" in out
    assert f"farthing price: {path}, line 5: 'fee' is not known." in err
    code, out, _ = farthing("price", prices=path, stdin=CALL % "api.openai.com")
    assert "2,006 x $1.25/M" in out
    assert "$0.0040075" in out


def test_the_doctor_looks_at_the_rules(tmp_path: Path) -> None:
    path = write(tmp_path, f"{GOOD}[[rule]]\nfee = 3\n")
    _, out, _ = farthing("doctor", prices=path)
    assert f"ok   {path} has 1 rule.\n" in out
    assert f"FIX  {path}, line 5: 'fee' is not known." in out
    _, out, _ = farthing("doctor", prices=str(tmp_path / "none"))
    assert f"FIX  {tmp_path / 'none'} has 0 rules.\n" in out
    assert "cannot be read" in out
    assert "rule" not in farthing("doctor")[1]


def test_the_example_of_the_readme(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    loaded = rules_file.load(write(tmp_path, example))
    assert loaded.problems == ()
    assert len(loaded.rules) == example.count("[[rule]]")
