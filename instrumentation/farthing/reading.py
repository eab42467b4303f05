"""Reading what goes to a provider and comes back: by table, typed, and never more than fits.

Whatever a body holds, reading it raises nothing and sets nothing that telemetry cannot hold: one
value that no exporter can encode would lose the whole batch that it travels in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from farthing_processor.assessment import AttributeValue
from farthing_processor.readers import fields

Type = type[str] | type[int] | type[float]
Field = tuple[str, tuple[str, ...], Type]
"""(attribute, where in the body, type): a value of another type sets nothing."""

TEXT_LIMIT: Final = 512
"""Characters kept of any string that a caller or a provider controls."""


def read(body: Mapping[str, Any], table: tuple[Field, ...]) -> dict[str, AttributeValue]:
    """The attributes that ``table`` finds in ``body``; nothing for what is absent or mistyped."""
    attributes: dict[str, AttributeValue] = {}
    for attribute, (name, *path), kind in table:
        value = body.get(name)
        if value is None:
            continue
        for deeper in path:
            value = fields(value).get(deeper)
        if kind is str:
            if isinstance(value, str):
                attributes[attribute] = text(value)
        elif isinstance(value, float) and kind is float:
            attributes[attribute] = value
        elif type(value) is int and abs(value) < 2**63:  # what telemetry can hold
            attributes[attribute] = kind(value)
    return attributes


def text(value: str) -> str:
    """``value`` as telemetry can hold it: not too long, and with nothing that UTF-8 cannot say."""
    return encodable(value[:TEXT_LIMIT])


def encodable(value: str) -> str:
    """``value`` with a question mark for what UTF-8 cannot say, a lone surrogate."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def event_fields(event: Any) -> Mapping[str, Any]:
    """The declared fields of a streamed event: what every chunk pays for, so no more than that."""
    try:
        return event.__dict__
    except AttributeError:
        return fields(event)


def said(body: Mapping[str, Any], name: str) -> str | None:
    """What ``body`` says under ``name``, if that is text."""
    value = body.get(name)
    return text(value) if isinstance(value, str) else None


def strings(value: object) -> list[str]:
    """``value`` as a list of strings: one string, or the strings of a list."""
    found = (value,) if isinstance(value, str) else items(value)
    return [text(item) for item in found if isinstance(item, str)]


def items(value: object) -> Sequence[Any]:
    """The items of a list, or of what a stream was folded into, by index; of anything else none.

    An iterator is never consumed.
    """
    if isinstance(value, dict):
        folded = cast(dict[object, Any], value)
        return [folded[index] for index in sorted(folded, key=_position)]
    return cast(Sequence[Any], value) if isinstance(value, list | tuple) else ()


def _position(index: object) -> int:
    return index if isinstance(index, int) else -1
