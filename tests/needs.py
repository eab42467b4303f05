"""What a test needs and may not find: then it is skipped, which is a failure where all must run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def recordings() -> Path:
    """The folder of recorded responses, which FARTHING_RECORDINGS names."""
    named = os.environ.get("FARTHING_RECORDINGS", "")
    if not named or not Path(named).is_dir():
        _missing("FARTHING_RECORDINGS names no folder of recorded responses")
    return Path(named)


def command(name: str) -> str:
    """Where the command ``name`` is."""
    found = shutil.which(name)
    return found if found is not None else _missing(f"there is no command {name} here")


def _missing(what: str) -> NoReturn:
    if os.environ.get("FARTHING_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)
