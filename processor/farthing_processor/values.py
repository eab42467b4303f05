"""Values of settings: from text, YAML or code to what is used. Each raises ValueError, and says how
the sentence ends that tells of a value that makes no sense.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection
from typing import Final, cast

from farthing_processor.aliases import BACKENDS
from farthing_processor.attribution import TAG_KEY

CONTENT_MODES: Final = ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")


def choice(allowed: tuple[str, ...], normalise: Callable[[str], str]) -> Callable[[object], str]:
    def parse(value: object) -> str:
        text = normalise(str(value).strip())
        if text not in allowed:
            raise ValueError(f"use one of {', '.join(allowed)}")
        return text

    return parse


_modes: Final = choice(CONTENT_MODES, str.upper)


def content_mode(value: object) -> str:
    """One of `CONTENT_MODES`; or the two words that the variable had before, when `true` meant in
    events, so that what was set for another instrumentation is no mistake."""
    text = str(value).strip().upper()
    return _modes({"TRUE": "EVENT_ONLY", "FALSE": "NO_CONTENT"}.get(text, text))


def positive(value: object) -> int:
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError("use a whole number of at least 1")
    return number


def amount(value: object) -> float:
    try:
        number = float(str(value).strip())
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise ValueError("use a number above 0")
    return number


def content_limit(value: object) -> int | None:
    if str(value).strip().lower() == "none":
        return None
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if number < 1000:
        raise ValueError("use a whole number of at least 1000, or none")
    return number


def function(value: object) -> object:
    """A function, or the name of one. Whatever it is, it is kept: without the redaction that was
    asked for nothing may be recorded, so this is no setting to ignore."""
    return value if callable(value) else str(value).strip()


def switch(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in ("1", "true", "0", "false"):
        raise ValueError("use 1 or 0, true or false")
    return text in ("1", "true")


def hosts(value: object) -> frozenset[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Collection):
        raise ValueError("use host names or host:port, separated by commas")
    named = [str(part).strip().lower() for part in cast(Collection[object], parts)]
    hosts = frozenset(host for host in named if host)
    if any("/" in host or " " in host for host in hosts):
        raise ValueError("use host names or host:port, separated by commas, without http://")
    return hosts


def carried(value: object) -> frozenset[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Collection):
        raise ValueError(_CARRIED)
    named = frozenset(str(part).strip().lower() for part in cast(Collection[object], parts)) - {""}
    if not all(TAG_KEY.fullmatch(name) for name in named):
        raise ValueError(_CARRIED)
    return named


_CARRIED: Final = "use user, session, tags or the names of own tags, separated by commas"


def backends(value: object) -> frozenset[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Collection):
        raise ValueError(_BACKENDS)
    named = frozenset(str(part).strip().lower() for part in cast(Collection[object], parts)) - {""}
    if not named <= BACKENDS.keys():
        raise ValueError(_BACKENDS)
    return named


_BACKENDS: Final = (
    f"use {', '.join(BACKENDS)}, separated by commas; "
    "Phoenix and Datadog have none, as the README says"
)


def file(value: object) -> str:
    text = os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError("use the path of a file")
    return text.strip()


def source(value: object) -> str:
    text = file(value)
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() not in ("https", "file"):
        raise ValueError("use an https URL or a file")
    return text
