"""The table in use: the shipped price pack, or a newer one that `farthing prices update` kept.

A kept table is a file in the pack's format (`published`) with the digest of its lines, so that one
that was cut short or edited by hand is noticed before anything is priced by it. It is used while it
is newer than the shipped one; a newer farthing makes it obsolete.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

from farthing_processor import settings
from farthing_processor.folders import folder
from farthing_processor.pricing.pack import Pack, shipped

FORMAT: Final = 1
"""The format of the pack that this farthing reads."""
SHIPPED: Final = "shipped"
"""The value of ``FARTHING_PRICES_TABLE`` that has no kept table read."""
MAX_BYTES: Final = 5_000_000
"""A table is larger than this by mistake: the shipped one has 0.4 MB."""

SERIAL: Final = [0]
"""How often the table was swapped. A compiled card is only good for the table of its own number, so
that a swap needs no lock and leaves nothing behind: what was compiled meanwhile is not used."""

_swapped: Final[list[Pack | None]] = [None]
_given: Final[list[str | None]] = [None]
_log: Final = logging.getLogger("farthing")


class Unusable(ValueError):
    """A table that cannot be used; the message says why, in words that may follow its name."""


def current() -> Pack:
    """The table that calls are priced by."""
    return _swapped[0] or _at_start()


def in_use_from() -> Path | None:
    """The file from which the table was read that calls are priced by from the start on; None where
    that is the shipped one."""
    return None if _at_start() is shipped() else place()


def use(pack: Pack) -> None:
    """Have every call from now on priced by ``pack``."""
    _swapped[0] = pack
    SERIAL[0] += 1


def keep_at(place: str | None) -> None:
    """Have the kept table read from ``place``, a path or `SHIPPED`; None is what the environment
    says, else `default_place`. What is in use is read anew."""
    if place != _given[0]:
        _given[0] = place
        _at_start.cache_clear()
        _swapped[0] = None
        SERIAL[0] += 1


def refresh_from(source: str | None) -> None:
    """Have a thread in the background look for a newer table at ``source``, and at no other; None
    has none look. Returns at once."""
    name = "farthing_processor.pricing.background"
    if source or name in sys.modules:
        # Whoever does not ask for it neither waits for its imports nor has a thread.
        import_module(name).start(source)


def place() -> Path | None:
    """Where the kept table is; None where none is to be read."""
    given = _given[0] or settings.load()[0].prices_table
    if given == SHIPPED:
        return None
    return Path(given).expanduser() if given else default_place()


def default_place() -> Path:
    """``prices.jsonl`` in farthing's folder of the user's cache."""
    return folder("cache") / "prices.jsonl"


@cache
def _at_start() -> Pack:
    """The kept table where it can be used and is newer than the shipped one, else that."""
    path = place()
    try:
        pack = kept(path) if path else None
    except Unusable as fault:
        _log.warning(
            "The price table %s cannot be used (%s), so farthing's own is: delete it, or run"
            " farthing prices update.",
            path,
            fault,
        )
        pack = None
    return pack if pack and is_newer(pack, shipped()) else shipped()


def is_newer(one: Pack, other: Pack) -> bool:
    """Whether ``one`` is the newer table: by the number of the release it was made from, where both
    have one, else by when it was published."""
    releases = _RELEASE.fullmatch(one.version), _RELEASE.fullmatch(other.version)
    if releases[0] and releases[1] and releases[0][1] != releases[1][1]:
        first, second = ([int(part) for part in each[1].split(".")] for each in releases if each)
        return first > second
    return one.released_s > other.released_s


_RELEASE: Final = re.compile(r"genai-prices (\d{1,4}(?:\.\d{1,4}){1,3})(?: .*)?")


def kept(path: Path) -> Pack | None:
    """The table that is kept at ``path``; None where there is none. Raises `Unusable`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        if isinstance(fault, PermissionError) and path == default_place():
            # The cache of somebody else, as in a container whose user has no home.
            return None
        raise Unusable(f"{fault.strerror}") from None
    try:
        text = data.decode()
        if header_of(text).get("digest") != digest_of(text):
            raise Unusable("its lines are not those of its digest")
        return Pack(text)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise fault if isinstance(fault, Unusable) else Unusable("it is no price table") from None


def header_of(text: str) -> dict[str, Any]:
    """The header of a table in the pack's format. Raises `Unusable` where it has none."""
    try:
        header: object = json.loads(text.partition("\n")[0])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or "format" not in header:
        raise Unusable("its first line is no header")
    found = cast(dict[str, Any], header)
    if found["format"] != FORMAT:
        raise Unusable(f"its format is {found['format']!r}, and this farthing reads {FORMAT}")
    return found


def digest_of(text: str) -> str:
    """SHA-256 of a table's lines after its header, in hexadecimal."""
    import hashlib  # only a kept table needs it, and importing it takes milliseconds

    return hashlib.sha256(text.partition("\n")[2].encode()).hexdigest()
