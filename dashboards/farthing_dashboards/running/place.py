"""Where the store is: as the command line says, the settings, or the platform."""

from __future__ import annotations

import sys
from pathlib import Path

from farthing_dashboards.store import Store, StoreError, open_for_reading
from farthing_processor import settings
from farthing_processor.folders import folder

_MIB = 1024 * 1024


def place(given: str | None) -> Path:
    """The store's file: ``given``, else ``FARTHING_STORE``, else one in the user's data folder."""
    chosen = given or settings.load()[0].store
    return Path(chosen).expanduser() if chosen else folder("data") / "telemetry.db"


def opened(path: Path) -> Store:
    """The store at ``path``, made where there is none. Raises `StoreError`."""
    chosen, problems = settings.load()
    for problem in problems:
        sys.stderr.write(f"farthing: {problem}\n")
    return Store(path, keep_days=chosen.store_days, max_bytes=int(chosen.store_max_mb * _MIB))


def state() -> tuple[bool, str]:
    """Whether all is well with the store, and one sentence on it."""
    path = place(None)
    if not path.exists():
        return True, f"There is no store at {path} yet: farthing run makes it."
    try:
        with open_for_reading(path):
            return True, f"The store {path} has {path.stat().st_size / _MIB:,.1f} MiB."
    except (StoreError, OSError) as fault:
        return False, str(fault)
