"""What a test needs and may not find: then it is skipped, which is a failure where all must run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests import peers


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


def installed(name: str, *packages: str) -> Path:
    """The commands of these packages, in an environment of their own that is kept as ``name``."""
    try:
        return peers.made(name, packages).parent
    except subprocess.CalledProcessError as error:
        why = (error.stderr or str(error)).strip().splitlines()[-1]
        return _missing(f"{' '.join(packages)} cannot be installed here: {why}")


def _missing(what: str) -> NoReturn:
    if os.environ.get("FARTHING_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)
