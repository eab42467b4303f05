"""Prompts: fingerprints of what a model is asked, so that what is sent again can be told.

A fingerprint is hashes and lengths. It tells whether two prompts are the same, and whether they
begin the same; nothing of what they say.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple, cast

FIRST: Final = 4096
"""Bytes of the shortest prefix that has a hash, about 1,024 tokens of English; each further one is
of twice as many."""
LONGEST: Final = 1 << 20
"""Bytes of the longest."""

_ELSEWHERE: Final = ("previous_response_id", "conversation")
"""Names of what the provider has already: a prompt then begins with what is not in the request."""
_PLAIN: Final = frozenset({str, list, tuple, dict})


class Fingerprint(NamedTuple):
    """What can be told of a prompt. Immutable."""

    whole: int | None
    """64 bits, the same in every process; None where nobody wants to know."""
    size: int = 0
    """Bytes, those of the names of roles and fields among them."""
    prefixes: tuple[bytes, ...] = ()
    """The hashes of its first `FIRST` bytes, twice as many, and so on, as far as it has them."""


def fingerprint(body: Mapping[str, Any], whole: bool) -> Fingerprint | None:
    """The fingerprint of a request ``body``, in the order in which providers cache it: the model,
    the tools, the instructions, the messages; sampling parameters are no part of it.

    ``whole`` is whether the prompt is to be known again, and not only how it begins. None where
    there is nothing to be told: without a prompt, of one that is too short for a prefix, and of one
    that is not made of plain text, lists and dicts alone (an iterator is not touched).
    """
    if not whole and _is_short(body):
        return None
    parts: list[str] = []
    try:
        parts.append(_marshalled([_given(body, name) for name in ("tools", "functions")]))
        for name in ("system", "instructions"):
            _flatten(_given(body, name), parts)
        before = len(parts)
        for name in ("messages", "input", "prompt", "voice"):
            _flatten(_given(body, name), parts)
        if len(parts) == before:
            return None
    except (TypeError, ValueError):
        return None
    data = memoryview("\0".join(parts).encode("utf-8", "surrogatepass"))
    elsewhere = [known for name in _ELSEWHERE if (known := _given(body, name)) is not None]
    if not whole and (len(data) < FIRST or elsewhere):
        return None
    hashed = sha256(str((body.get("model"), *elsewhere)).encode("utf-8", "surrogatepass"))
    prefixes: list[bytes] = []
    done, end = 0, FIRST
    while not elsewhere and end <= min(len(data), LONGEST):
        hashed.update(data[done:end])
        prefixes.append(hashed.digest()[:8])
        done, end = end, 2 * end
    if not whole:
        return Fingerprint(None, len(data), tuple(prefixes))
    hashed.update(data[done:])
    return Fingerprint(int.from_bytes(hashed.digest()[:8]), len(data), tuple(prefixes))


def _is_short(body: Mapping[str, Any]) -> bool:
    """Whether a prompt of nothing but a few texts is too short for a prefix: most that are short
    are such, and need not be taken apart to be known so."""
    if _given(body, "tools") or _given(body, "functions"):
        return False
    size = 0
    for name in ("system", "instructions", "messages", "input", "prompt", "voice"):
        given = _given(body, name)
        for part in cast(list[Any], [given] if type(given) is str else given or ()):
            text = cast(dict[str, Any], part).get("content") if type(part) is dict else part
            if type(text) is not str:
                return False
            size += len(text) + 32  # and the names of its fields
            if size * 4 >= FIRST:  # bytes of a character, at most
                return False
    return True


def _given(body: Mapping[str, Any], name: str) -> Any:
    """What a request gives of that name; clients have objects of their own for nothing."""
    value = body.get(name)
    return value if type(value) in _PLAIN else None


def _marshalled(value: Any) -> str:
    """Many small values at once, at half of what one by one takes; what version 2 makes of them
    depends on nothing but the values. Raises ValueError where one is of no plain type."""
    return marshal.dumps(value, 2).decode("latin-1")


def _flatten(value: object, parts: list[str]) -> None:
    """Append the texts in ``value``. Raises TypeError for what is none of JSON's own types."""
    kind = type(value)
    if kind is str:
        parts.append(cast(str, value))
    elif kind is dict:
        for name, held in cast(dict[str, object], value).items():
            parts.append(name)
            _flatten(held, parts)
    elif kind is list or kind is tuple:
        items = cast(list[object], value)
        if items and type(items[0]) is int:  # tokens, of which there may be thousands
            parts.append(_marshalled(items))
        else:
            for held in items:
                _flatten(held, parts)
        parts.append("]")
    elif kind is int or kind is float or kind is bool:
        parts.append(str(value))
    elif value is not None:
        raise TypeError
