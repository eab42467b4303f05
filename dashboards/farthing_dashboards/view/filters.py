"""What is asked of the view: a time and five names, as they stand in the query of an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

ALL: Final = "all"
"""As ``since``: from the first span that the store holds."""

NAMES: Final = ("service", "model", "step", "workflow", "user")
"""What calls may be of. An empty name asks for the calls that do not say theirs; of users there is
none, as most calls do not."""

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_SINCE: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])", re.ASCII)
_KEYS: Final = ("since", "start", "end", *NAMES)


class Asked(NamedTuple):
    """Which calls to show; None where it does not matter. Immutable."""

    since: str | None = None
    """How long ago, up to now: a number and ``m``, ``h`` or ``d``, or `ALL`."""
    start: int | None = None
    """Seconds since the Unix epoch; instead of ``since``."""
    end: int | None = None
    """The first second after; instead of ``since``."""
    service: str | None = None
    model: str | None = None
    step: str | None = None
    workflow: str | None = None
    user: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """What a query asks for; raises ValueError with a sentence for what makes no sense."""
        if unknown := [key for key in query if key not in _KEYS]:
            raise ValueError(f"There is no {unknown[0]!r:.80}: ask by {', '.join(_KEYS)}.")
        since = query.get("since")
        if since is not None:
            seconds(since)
            if "start" in query or "end" in query:
                raise ValueError("Ask by since, or by start and end, not by both.")
        start, end = (_moment(key, query[key]) if key in query else None for key in _KEYS[1:3])
        if start is not None and end is not None and start >= end:
            raise ValueError(
                f"start ({query['start']}) must be before end ({query['end']}): swap them?"
            )
        if query.get("user") == "":
            raise ValueError("user is empty: leave it out, or say whose calls.")
        return cls(since, start, end, *(query.get(name) for name in NAMES))

    def names(self) -> dict[str, str | None]:
        """The five names that are asked for."""
        return {name: getattr(self, name) for name in NAMES}


def seconds(since: str) -> int | None:
    """How long that is, None of `ALL`; raises ValueError with a sentence for anything else."""
    if since == ALL:
        return None
    if (found := _SINCE.fullmatch(since)) is None:
        raise ValueError(f"since={since!r:.80} is no time: write 15m, 6h, 30d or {ALL}.")
    return int(found[1]) * _UNITS[found[2]]


def _moment(key: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        since_epoch = int(moment.timestamp())
    except (ValueError, OverflowError):
        since_epoch = -1
    if since_epoch < 0:
        raise ValueError(f"{key}={text!r:.80} is no time: write it as 2026-11-22T13:30:00Z.")
    return since_epoch
