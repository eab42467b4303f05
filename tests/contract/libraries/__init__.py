"""The libraries under contract: one table file each; a new one is found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

from tests.contract.table import Library

LIBRARIES: Final[tuple[Library, ...]] = tuple(
    importlib.import_module(f"{__name__}.{module.name}").LIBRARY
    for module in pkgutil.iter_modules(__path__)
)
