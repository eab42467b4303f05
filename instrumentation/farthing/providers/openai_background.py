"""Background responses of the ``openai`` client: who pays for one, once, and when.

A response made in the background has no usage when it is made, and all of it whenever it is fetched
once it is complete. So it is paid by the first call of this process that sees it complete, for
whoever made it; every other fetch reports no usage, as the conventions ask.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from farthing_processor.attribution import Attribution
from farthing_processor.readers import fields

REMEMBERED: Final = 10_000
"""Background responses kept in mind, the latest ones."""

_COMPLETE: Final = frozenset({"completed", "incomplete"})


class Responses:
    """The background responses of this process, by id: who made each, or that it is paid."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._known: OrderedDict[str, Attribution | None] = OrderedDict()
        self._lock = threading.Lock()

    def created(self, body: Any, who: Attribution) -> Attribution | None:
        """Who pays for a response that ``who`` made: nobody yet while it runs in the background."""
        response = fields(body)
        if response.get("background") is not True:
            return who
        due = _due(response)
        self._remember(response.get("id"), None if due else who, None)
        return who if due else None

    def fetched(self, body: Any, who: Attribution) -> Attribution | None:
        """Who pays for a response that ``who`` fetched: its maker, once it is over.

        One that another process made is paid by ``who``: its maker may never see the end of it.
        """
        response = fields(body)
        if response.get("background") is not True or not _due(response):
            return None
        return self._remember(response.get("id"), None, who)

    def _remember(
        self, id: object, who: Attribution | None, unknown: Attribution | None
    ) -> Attribution | None:
        """Remember ``who`` for ``id``; what was known of it before, or ``unknown``."""
        if not isinstance(id, str):
            return unknown
        with self._lock:
            before = self._known.pop(id, unknown)
            self._known[id] = who
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return before


def _due(response: Mapping[str, Any]) -> bool:
    """Whether a response is over and reports what it cost; one that failed may report nothing."""
    return response.get("status") in _COMPLETE or response.get("usage") is not None


RESPONSES: Final = Responses()
