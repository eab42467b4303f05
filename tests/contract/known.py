"""Defects that are known and not mended yet: each fails here when it is."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final, NamedTuple


class Known(NamedTuple):
    """One defect, by the cases that show it; each name may hold ``*``. Immutable."""

    library: str
    method: str
    ending: str
    kind: str
    why: str


KNOWN: Final[tuple[Known, ...]] = ()


def why(library: str, method: str, ending: str, kind: str) -> str | None:
    """Why this case fails, if that is known."""
    case = (library, method, ending, kind)
    for known in KNOWN:
        if all(fnmatchcase(is_, pattern) for is_, pattern in zip(case, known[:4], strict=True)):
            return known.why
    return None
