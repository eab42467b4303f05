"""Values: what a body holds by name, and the counts and names in it, never trusted.

What is not what it should be is taken as not reported, and named in a list of faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from farthing_processor.usage import MAX_COUNT, Usage, is_duration

Fields = Mapping[str, Any]

MAX_NAME: Final = 64
"""Longer tiers, speeds and regions are not names."""

_NOTHING: Fields = {}


def fields(value: object) -> Fields:
    """What ``value`` holds by name: a mapping, or an object's fields and pydantic's extra ones.

    Anything else holds nothing.
    """
    if type(value) is dict:
        return cast(dict[str, Any], value)
    if value is None:
        return _NOTHING
    if isinstance(value, Mapping):
        return cast(Fields, value)
    own: Fields = getattr(value, "__dict__", _NOTHING)
    extra = getattr(value, "__pydantic_extra__", None)
    return {**extra, **own} if extra else own


def items(value: object) -> Iterator[Fields]:
    """The `fields` of each of a list; nothing of anything else."""
    if isinstance(value, list | tuple):
        for item in cast(list[object], value):
            yield fields(item)


def count_in(owner: Fields, name: str, faults: list[str]) -> int | None:
    """A count; None where there is none, or it is none."""
    value = owner.get(name)
    if value is None:
        return None
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    count = _coerced(value)
    if count is None:
        faults.append(f"invalid {name}")
    return count


def _coerced(value: object) -> int | None:
    """A count in another type: a whole float or a string of digits."""
    if isinstance(value, str):
        text = value.strip()
        count = int(text) if text.isascii() and text.isdigit() and len(text) <= 13 else None
    elif isinstance(value, float):
        count = int(value) if value.is_integer() else None
    elif isinstance(value, int) and not isinstance(value, bool):
        count = int(value)
    else:
        count = None
    return count if count is not None and 0 <= count <= MAX_COUNT else None


def seconds_in(owner: Fields, name: str, faults: list[str]) -> Decimal | None:
    """A duration in seconds, with every digit that JSON has of it."""
    return _decimal_in(owner, name, faults)


def dollars_in(owner: Fields, name: str, faults: list[str]) -> Decimal | None:
    """An amount of money, with every digit that JSON has of it; None where it is below 0."""
    return _decimal_in(owner, name, faults)


def _decimal_in(owner: Fields, name: str, faults: list[str]) -> Decimal | None:
    value = owner.get(name)
    if value is None:
        return None
    if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        try:
            # The shortest text of a float is what JSON said.
            number = Decimal(str(value))
        except (InvalidOperation, ValueError):
            number = None
        if is_duration(number):
            return number.copy_abs()  # -0.0 is no less than 0
    faults.append(f"invalid {name}")
    return None


def unpriced(what: str) -> tuple[str, Usage]:
    """Something that is billed and that no count of `Usage` is for, for `Usage.also`.

    It has no price, so that the call comes out as partial, and says what is missing.
    """
    return what, Usage()


def name_in(owner: Fields, name: str, faults: list[str]) -> str:
    """A short name; empty where there is none, or it is none."""
    value = owner.get(name)
    if value is None:
        return ""
    if isinstance(value, str) and len(value) <= MAX_NAME:
        return value
    faults.append(f"invalid {name}")
    return ""
