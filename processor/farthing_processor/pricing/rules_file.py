"""Rules from a file: TOML, one ``[[rule]]`` after the other; what is wrong with it, line by line.

::

    [[rule]]
    provider = "openai"            # conditions: all must hold, * stands for anything
    model = ["gpt-5*", "o3*"]      # a list: one of them
    discount = "12.5%"             # the price

    [[rule]]
    host = "llm.internal"
    gpu_hour = { price = "2.49", gpus = 4, concurrency = 16 }

The conditions are those of `OF_KEY` and `OF_CALL` in `rules`, and ``tag``; the prices are those of
`PRICES`. Each rule is read by itself, so that one that is wrong, in its TOML too, leaves the others
in use, and its line is known.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from farthing_processor.pricing.card import PRICE_KEYS
from farthing_processor.pricing.rules import OF_CALL, OF_KEY, TAG, Alias, Condition, Rule

MAX_RATE: Final = Decimal(10_000)
"""USD for a million tokens, a thousand searches or an hour: above it a unit was mistaken."""
PLACES: Final = 12
"""Digits after the point of any number."""


class Loaded(NamedTuple):
    """What a file came to."""

    rules: tuple[Rule, ...]
    says: tuple[str, ...]
    """Each of ``rules`` for people, with its line."""
    problems: tuple[str, ...]
    """A sentence for each thing that is wrong: the file, the line, and what to do."""


class Fault(ValueError):
    """What is wrong with a rule: in so many lines after its first, or where a key of it stands."""

    def __init__(self, where: str | int, says: str) -> None:
        super().__init__(says)
        self.where = where


def load(path: str) -> Loaded:
    """The rules of a file. Raises nothing: what cannot be used is a problem, the rest stands."""
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return Loaded((), (), (f"{path} cannot be read: {reason}. Give the path of a TOML file.",))
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return Loaded((), (), (f"{path} is not UTF-8. Save it as UTF-8.",))
    label = f"{os.path.basename(path)} {sha256(data).hexdigest()[:8]}"
    return _read(text, path, label)


_HEADER: Final = re.compile(r"""^[ \t]*\[\[[ \t]*(["']?)rule\1[ \t]*\]\]""", re.MULTILINE)


def _read(text: str, path: str, label: str) -> Loaded:
    found: list[Rule] = []
    says: list[str] = []
    problems: list[str] = []
    starts = [match.start() for match in _HEADER.finditer(text)]
    before = text[: starts[0]] if starts else text
    for line, fault in _outside(before):
        problems.append(f"{path}, line {line}: {fault}.")
    if not starts and not problems:
        problems.append(f"{path} has no rules. Begin each with a line [[rule]].")
    for start, end in pairwise([*starts, len(text)]):
        block = text[start:end]
        first = text.count("\n", 0, start) + 1
        if found and not (found[-1].of_key or found[-1].of_call):
            problems.append(
                f"{path}, line {first}: This rule is never reached, because the one of line "
                f"{found[-1].line} has no conditions. Move that one to the end."
            )
            break
        try:
            entry = _parsed(block)
            rule = _rule(entry, f"{label} line {first}", first)
        except Fault as fault:
            line = first + _line(block, fault.where)
            problems.append(f"{path}, line {line}: {fault}. The rule is left out.")
        else:
            found.append(rule)
            says.append(f"line {first}: {_shown(entry)}")
    return Loaded(tuple(found), tuple(says), tuple(problems))


_AT_LINE: Final = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        at_end = text.rstrip().count("\n")
        where = 0 if at is None else int(at[1]) - 1 if at[1] else at_end
        why = _AT_LINE.sub("", str(error)).strip()
        raise Fault(where, f"This is not TOML: {why}. Correct it") from None


def _line(block: str, where: str | int) -> int:
    """In how many lines after the first a fault is; 0 where the key is not found."""
    if isinstance(where, int):
        return where
    sets = re.compile(rf"""(?:^|[\s.\[{{,"']){re.escape(where)}["']?\s*[=.\]]""")
    for number, line in enumerate(block.split("\n")):
        if not line.lstrip().startswith("#") and sets.search(line):
            return number
    return 0


def _outside(text: str) -> Iterator[tuple[int, str]]:
    """What stands before the first rule, where nothing may."""
    try:
        entries = _toml(text)
    except Fault as fault:
        yield 1 + _line(text, fault.where), str(fault)
        return
    for key in entries:
        yield 1 + _line(text, key), f"{key!r} belongs to no rule. Begin each with a line [[rule]]"


def _parsed(block: str) -> dict[str, Any]:
    tables = _toml(block)
    for key in tables.keys() - {"rule"}:
        raise Fault(key, f"{key!r} belongs to no rule. Write [rule.{key}] or leave it out")
    [entry] = tables["rule"]
    return entry


def _rule(entry: Mapping[str, Any], label: str, line: int) -> Rule:
    known = [*OF_KEY, *OF_CALL, "tag", *PRICES]
    for key in entry:
        if key not in known:
            raise Fault(key, f"{key!r} is not known. {_instead(key, known)}")
    priced = [key for key in PRICES if key in entry]
    if not priced:
        raise Fault("rule", f"The rule has no price. Give it one of {', '.join(PRICES)}")
    for key in priced:
        if other := next((other for other in NOT_WITH.get(key, ()) if other in entry), None):
            raise Fault(other, f"{key!r} and {other!r} contradict each other. Leave one out")
    price: dict[str, Any] = {}
    for key in priced:
        field, read = PRICES[key]
        price[field] = read(key, entry[key])
    return Rule(
        label,
        line,
        tuple(_condition(key, entry[key]) for key in OF_KEY if key in entry),
        tuple(
            [_condition(key, entry[key]) for key in OF_CALL if key in entry]
            + [
                _condition(TAG + key, value)
                for key, value in _table("tag", entry.get("tag", {})).items()
            ]
        ),
        **price,
    )


def _instead(key: str, known: Collection[str]) -> str:
    near = get_close_matches(key, known, 1)
    return f"Write {near[0]!r}" if near else f"Use {', '.join(known)}"


def _condition(name: str, value: object) -> Condition:
    key = name.removeprefix(TAG)
    if name == "batch":
        if not isinstance(value, bool):
            raise Fault(key, "'batch' is true or false")
        return Condition(name, (str(value).lower(),))
    patterns = cast(list[object], value) if isinstance(value, list) else [value]
    texts = tuple(each for each in patterns if isinstance(each, str) and each)
    if not texts or len(texts) != len(patterns):
        raise Fault(key, f"{name!r} is a pattern in quotes, or a list of them")
    return Condition(name, texts)


def _table(key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(key, f"{key!r} is a table: write {key} = {{ … }}")
    return cast(dict[str, Any], value)


def _number(key: str, value: object, most: Decimal, example: str, zero: bool = False) -> Decimal:
    """A decimal above 0 (or 0 too) and up to ``most``, exactly as it is written."""
    number = None
    if isinstance(value, int | str | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except ArithmeticError:
            number = None
    if number is None or not number.is_finite() or not 0 <= number <= most or not (number or zero):
        least = "at least 0" if zero else "more than 0"
        raise Fault(key, f"{key!r} is a number, {least} and at most {most}, such as {example}")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -PLACES:
        raise Fault(key, f"{key!r} has more than {PLACES} digits after the point. Give fewer")
    return number or Decimal(0)


def _rates(key: str, value: object) -> dict[str, str]:
    """Decimal strings by the pack's price keys."""
    table = _table(key, value)
    for each in table:
        if each not in RATES:
            raise Fault(each, f"{each!r} is no rate. {_instead(each, RATES)}")
    rates: dict[str, str] = {}
    for each, rate in table.items():
        number = _number(each, rate, MAX_RATE, '"2.50"', zero=True)
        rates[PRICE_KEYS[each]] = f"{number:f}"
    if all(each.endswith("_kcount") for each in rates):
        raise Fault(key, "The rates lack what the model takes in and puts out. Give input, output")
    return rates


def _alias(key: str, value: object) -> Alias:
    table = {"model": value} if isinstance(value, str) else value
    if isinstance(table, dict):
        provider, model = (cast(dict[str, Any], table).get(each) for each in Alias._fields)
        unknown = cast(dict[str, Any], table).keys() - set(Alias._fields)
        if not unknown and model and isinstance(model, str) and isinstance(provider, str | None):
            return Alias(provider or None, model)
    raise Fault(key, f'{key!r} is a model, or {{ provider = "azure", model = "gpt-4o" }}')


def _free(key: str, value: object) -> bool:
    if value is not True:
        raise Fault(key, f"{key!r} is true. Leave it out where it is not")
    return True


def _gpu_hour(key: str, value: object) -> Fraction:
    table = _table(key, value)
    for each in table:
        if each not in GPU:
            raise Fault(each, f"{each!r} is not of {key!r}. {_instead(each, GPU)}")
    if "price" not in table:
        raise Fault(key, f"{key!r} lacks the price of an hour of one GPU. Give price")
    price, gpus, concurrency = (
        Fraction(_number(each, table.get(each, 1), MAX_RATE, example))
        for each, example in GPU.items()
    )
    return price * gpus / concurrency


def _discount(key: str, value: object) -> Decimal:
    """What is left of the price."""
    percent = isinstance(value, str) and value.strip().endswith("%")
    text = cast(str, value).strip().removesuffix("%") if percent else value
    most = Decimal(100) if percent else Decimal(1)
    try:
        off = _number(key, text, most, "") / most
    except Fault:
        off = Decimal(1)
    if off >= 1:
        raise Fault(key, f'{key!r} takes off a part of the price. Write it as "12.5%" or 0.125')
    return 1 - off


def _multiplier(key: str, value: object) -> Decimal:
    return _number(key, value, Decimal(100), "1.1")


def _per_request(key: str, value: object) -> Decimal:
    return _number(key, value, MAX_RATE, '"0.002"')


RATES: Final = tuple(name for name in PRICE_KEYS if name != "request")
"""The rates that a rule may give: USD for a million tokens or characters, for a thousand searches,
for an hour of audio."""
GPU: Final[Mapping[str, str]] = {"price": '"2.49"', "gpus": "4", "concurrency": "16"}
"""What a price by the GPU-hour is made of, with an example of each."""

PRICES: Final[Mapping[str, tuple[str, Callable[[str, object], object]]]] = {
    "rates": ("rates", _rates),
    "alias": ("alias", _alias),
    "free": ("free", _free),
    "gpu_hour": ("hourly", _gpu_hour),
    "discount": ("factor", _discount),
    "multiplier": ("factor", _multiplier),
    "per_request": ("per_request", _per_request),
}
"""What a rule may set: the field of `Rule` that it is, and its reader."""
NOT_WITH: Final[Mapping[str, tuple[str, ...]]] = {
    "rates": ("alias", "free", "gpu_hour"),
    "alias": ("free", "gpu_hour"),
    "free": ("gpu_hour", "discount", "multiplier"),
    "gpu_hour": ("discount", "multiplier", "per_request"),
    "discount": ("multiplier",),
}


def _shown(entry: Mapping[str, Any]) -> str:
    """A rule in one line: ``provider openai, model gpt-5*: discount 12.5%``."""
    conditions = [f"{key} {_plain(value)}" for key, value in entry.items() if key not in PRICES]
    prices = [f"{key} {_plain(value)}" for key, value in entry.items() if key in PRICES]
    return f"{', '.join(conditions) or 'every call'}: {', '.join(prices)}"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        items = cast(dict[str, object], value).items()
        return " ".join(f"{key}={_plain(each)}" for key, each in items)
    if isinstance(value, list):
        return " or ".join(map(_plain, cast(list[object], value)))
    return str(value).lower() if isinstance(value, bool) else str(value)
