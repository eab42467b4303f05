"""The background refresh: one thread that looks for a newer price table, where it was asked for."""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable
from typing import Final

from farthing_processor.pricing import refresh, tables
from farthing_processor.pricing.pack import Pack

INTERVAL_S: Final = 3600
"""Between two looks, and up to a quarter longer: a fleet does not ask all at once."""
FIRST_S: Final = 60
"""Until the first look, at most."""

_log: Final = logging.getLogger("farthing")
_said: Final[set[str]] = set()


class Refresher:
    """Looks at one source until it is stopped. The thread is a daemon and never raises."""

    def __init__(self, source: str, uniform: Callable[[float, float], float]) -> None:
        self.source = source
        self._uniform = uniform
        self._mark = ""
        self._stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="farthing-prices", daemon=True)

    def stop(self) -> None:
        """End the thread, after the look that it may be taking."""
        self._stopped.set()

    def _run(self) -> None:
        delay = self._uniform(0, FIRST_S)
        while not self._stopped.wait(delay):
            self.look()
            delay = self._uniform(INTERVAL_S, INTERVAL_S * 1.25)

    def look(self) -> None:
        """Use the source's table where it is newer and may replace the one in use."""
        name = refresh.shown(self.source)
        try:
            fetched = refresh.fetch(self.source, self._mark)
            if fetched is None:
                return
            update = refresh.judged(tables.current(), refresh.offered(fetched))
            self._mark = fetched.mark
        except refresh.Unusable as fault:
            _say(f"The price table {name} is not used: {fault}.")
            return
        except Exception as error:
            _say(f"Looking for a newer price table at {name} failed: {error!r:.200}.")
            return
        if update.text is not None and not self._stopped.is_set():
            tables.use(Pack(update.text))
        for sentence in update.refused:
            _say(f"The price table {name} is not used: {sentence}")
        if update.held:
            _say(
                f"In the price table {name} {len(update.held)} models moved in price more than"
                f" fivefold and keep their old ones ({', '.join(update.held[:3])} …): see"
                f" farthing prices diff current {name}."
            )


def start(source: str | None, uniform: Callable[[float, float], float] = random.uniform) -> None:
    """Look at ``source`` from now on and at no other; None looks at none. Returns at once."""
    running = _running[0]
    if running is not None:
        if running.source == source:
            return
        running.stop()
    _running[0] = None
    if source:
        _running[0] = refresher = Refresher(source, uniform)
        refresher.thread.start()


def _say(sentence: str) -> None:
    """Once, however often it is true."""
    if sentence not in _said and len(_said) < 100:
        _said.add(sentence)
        _log.warning("%s", sentence)


_running: Final[list[Refresher | None]] = [None]


def _in_child() -> None:
    """A fork has no thread but its own."""
    running, _running[0] = _running[0], None
    if running is not None:
        start(running.source)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
