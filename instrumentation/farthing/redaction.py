"""Redaction: content as plain JSON values, every text of it through the application's function.

The function gets one text and gives back what may be recorded of it; None leaves it out. It gets
each text and number that a person or a model wrote: messages, reasoning, system instructions, the
values and the keys of tool arguments and results, addresses, names of participants. It does not
get what only names things: roles, kinds, ids, names of tools, media types. Data in base64 it could
not read, so with a function there is none. Where the function fails, or gives back no text, the
text is left out: nothing is recorded that it has not passed.
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, cast

from farthing import content
from farthing.reading import encodable, text

log: Final = logging.getLogger("farthing")
LEFT_OUT: Final = "[left out]"
"""What stands where a text was not to be recorded."""

_DEPTH: Final = 24
"""How deep data may nest. Receivers refuse a message in which protobuf nests deeper than 100, and
a mapping in a mapping takes three; what is deeper is recorded as its JSON text."""

_inside: Final[ContextVar[bool]] = ContextVar("farthing-redacting", default=False)


class Redaction:
    """One redaction function, or none, for as long as a set of settings holds."""

    def __init__(self, given: Callable[[str], str | None] | str | None) -> None:
        """``given`` is the function, or where to import it from: ``package.module:function``.

        It is imported when it is first needed: the application's own modules may not be
        importable yet when farthing is attached to it.
        """
        self._given = given
        self._function = given if callable(given) else None
        self._broken = False
        self._said = False

    def ready(self) -> bool:
        """Whether content may be recorded: not without the function that was asked for, and not of
        the calls that the function itself makes, which would call it again without end."""
        if self._function is None and self._given is not None and not self._broken:
            self._import(str(self._given))
        return not self._broken and not _inside.get()

    def _import(self, name: str) -> None:
        try:
            module, _, path = name.partition(":")
            found: Any = importlib.import_module(module)
            for attribute in path.split("."):
                found = getattr(found, attribute)
            if not callable(found):
                raise TypeError("it is no function")
            self._function = found
        except (Exception, SystemExit) as error:
            self._broken = True
            log.warning(
                "FARTHING_REDACT (redact) is %r, which cannot be used (%s: %s), so no content is "
                "recorded. Give a function as package.module:function.",
                name,
                type(error).__name__,
                error,
            )

    def items(self, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Messages, parts or tool definitions, as they may be recorded."""
        return [self._message(item) if "parts" in item else self._part(item) for item in given]

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {"role": text(str(message["role"]))}
        if isinstance(name := message.get("name"), str):
            kept["name"] = self._text(name)
        return kept | {"parts": [self._part(part) for part in message["parts"]]}

    def _part(self, part: Mapping[str, Any]) -> dict[str, Any]:
        if self._function is not None and part["type"] == "blob":
            part = content.blob_left_out(part)
        return {key: self._member(key, value) for key, value in part.items()}

    def _member(self, key: str, value: object) -> object:
        if key in content.LABELS and isinstance(value, str):
            return text(value)
        if key in content.SERVER_TOOL:
            return self._part(cast(Mapping[str, Any], value))
        if isinstance(value, content.Parts):
            return [self._part(part) for part in value]
        return self._data(value, _DEPTH)

    def _data(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if depth == 0:
            return self._text(content.dumps(value))
        if isinstance(value, list | tuple):
            return [self._data(item, depth - 1) for item in cast(Sequence[object], value)]
        if (held := content.held(value)) is None:
            return self._text(str(value))
        # An empty key is JSON, and no key that telemetry takes.
        return {self._text(str(k)) or " ": self._data(v, depth - 1) for k, v in held.items()}

    def _number(self, value: float) -> object:
        held = math.isfinite(value) and (isinstance(value, float) or -(2**63) <= value < 2**63)
        if held and self._function is None:
            return value
        written = str(value)
        passed = self._text(written)
        return value if held and passed == written else passed

    def _text(self, value: str) -> str:
        if self._function is None:
            return encodable(value)
        inside = _inside.set(True)
        try:
            passed: object = self._function(value)
        except Exception as error:
            # Neither its message nor its traceback: they may quote what was to be left out.
            self._complain(f"raised {type(error).__name__}")
            return LEFT_OUT
        finally:
            _inside.reset(inside)
        if passed is None:
            return LEFT_OUT
        if not isinstance(passed, str):
            self._complain(f"gave back a {type(passed).__name__}, neither a text nor None")
            return LEFT_OUT
        return encodable(passed)

    def _complain(self, what: str) -> None:
        if not self._said:
            self._said = True
            log.warning(
                "The redact function %s: what it was given is left out, now and whenever it "
                "happens again.",
                what,
            )
