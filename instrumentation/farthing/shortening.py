"""Shortening: content that is larger than telemetry should carry, in less JSON of the same shape.

First the longest texts are cut, each to the same length, no shorter than an eighth of the limit;
then the oldest parts are left out, the system's message last. What was left out says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from farthing import content
from farthing.content import dumps

Item = Mapping[str, Any]
"""A message, a part, or the definition of a tool."""

_EIGHTHS: Final = (7, 4, 2, 1)
"""Lengths to cut texts to, the first that is short enough, in eighths of the limit."""

_MARKED: Final = 40
"""Characters that are not worth cutting: the mark takes as many."""

_SYSTEM: Final = ("system", "developer")


def shortened(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    """``items`` in at most ``limit`` characters of JSON; the same where they are no more.

    None is no limit. Takes time in proportion to what is given.
    """
    if limit is None or len(dumps(items)) <= limit:
        return items
    cut: list[Item] = []
    for eighths in _EIGHTHS:
        cut = [_item(item, limit * eighths // 8) for item in items]
        if len(dumps(cut)) <= limit:
            return cut
    return _newest(cut, limit)


def _item(item: Item, limit: int) -> Item:
    if "parts" in item:
        return {**item, "parts": [_part(part, limit) for part in item["parts"]]}
    return _part(item, limit)


def _part(part: Item, limit: int) -> Item:
    if part["type"] == "blob" and len(part["content"]) > limit:
        return content.blob_left_out(part)
    return {key: _member(key, value, limit) for key, value in part.items()}


def _member(key: str, value: object, limit: int) -> object:
    if key in content.LABELS:
        return value
    if key in content.SERVER_TOOL:
        return _part(cast(Item, value), limit)
    short = _data(value, limit)
    # Data of many short texts, or of numbers.
    if not isinstance(short, str) and len(written := dumps(short)) > 2 * limit:
        return _text(written, limit)
    return short


def _data(value: object, limit: int) -> object:
    if isinstance(value, str):
        return _text(value, limit)
    if isinstance(value, list):
        return [_data(item, limit) for item in cast(list[object], value)]
    if isinstance(value, dict):
        held = cast(dict[str, object], value)
        if held.get("type") == "blob" and len(str(held.get("content"))) > limit:
            return content.blob_left_out(held)
        return {key: _data(item, limit) for key, item in held.items()}
    return value


def _text(value: str, limit: int) -> str:
    """``value`` in at most ``limit`` characters of JSON, and a mark of what was left out."""
    # JSON takes up to six characters for one.
    if 6 * len(value) <= limit or len(dumps(value)) - 2 <= limit + _MARKED:
        return value
    length = min(len(value), limit)
    if (written := len(dumps(value[:length])) - 2) > limit:
        length = length * limit // written  # if what JSON escapes is spread evenly
        # If it is not: each character less is one less at the least.
        length = max(0, length - max(0, len(dumps(value[:length])) - 2 - limit))
    return value[:length] + f"… [{len(value) - length} characters left out]"


def _newest(items: Sequence[Item], limit: int) -> list[Item]:
    """The newest of ``items`` that fit, after a mark that stands for the others."""
    room = limit - 2 - len(dumps(_mark(len(items), items[0]))) - 1
    first: list[Item] = []
    if items[0].get("role") in _SYSTEM and (size := len(dumps(items[0])) + 1) <= room // 2:
        first, items, room = [items[0]], items[1:], room - size
    kept: list[Item] = []
    left = len(items)
    for item in reversed(items):
        size = len(dumps(item)) + 1
        if size > room:
            if len(item.get("parts", ())) > 1:
                around = len(dumps({**item, "parts": []})) + 1
                parts = _newest(item["parts"], room - around + 2)
                if len(parts) > 1:
                    kept.append({**item, "parts": parts})
                    left -= 1
            break
        kept.append(item)
        room -= size
        left -= 1
    if left:
        kept.append(_mark(left, items[0]))
    return first + kept[::-1]


def _mark(count: int, of: Item) -> Item:
    """Stands for ``count`` items such as ``of``, in a shape that is open to further kinds."""
    mark = {"type": "left_out", "name": f"{count} left out", "count": count}
    return {"role": "system", "parts": [mark]} if "parts" in of else mark
