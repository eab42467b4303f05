"""Embedded: objects that an emitter writes as text into one attribute, as JSON or as Python prints
them.

Reading them is total and bounded: what is too long, cut off, too deep or no object holds nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

from farthing_processor.dialects.dialect import Attributes
from farthing_processor.readers.values import Fields

MAX_OBJECT: Final = 64 * 1024
"""Characters; a longer text is not parsed."""

_NOTHING: Final[Fields] = {}
_SPELLED: Final = (("'", '"'), ("None", "null"), ("True", "true"), ("False", "false"))
"""How Python prints what JSON spells otherwise."""


def json_in(attributes: Attributes, name: str) -> Fields:
    """The object that an attribute holds as JSON; empty where it holds none."""
    return _object(attributes.get(name))


def printed_in(attributes: Attributes, name: str) -> Fields:
    """The dict that an attribute holds as Python prints it (``str(usage)``); empty where it holds
    none, or one with a text in it that needed quoting: no count does.

    It is spelled as JSON, within texts too, and never evaluated.
    """
    text = attributes.get(name)
    if not isinstance(text, str) or len(text) > MAX_OBJECT or '"' in text or "\\" in text:
        return _NOTHING
    for printed, spelled in _SPELLED:
        text = text.replace(printed, spelled)
    return _object(text)


def _object(text: object) -> Fields:
    if not isinstance(text, str) or len(text) > MAX_OBJECT or not text.lstrip().startswith("{"):
        return _NOTHING
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return _NOTHING
    return cast(Fields, found) if isinstance(found, dict) else _NOTHING
