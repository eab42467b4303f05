"""Configuring prices: the settings of prices put to use, once for the process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from farthing_processor import settings
from farthing_processor.pricing import rules, tables
from farthing_processor.settings import Settings

_log: Final = logging.getLogger("farthing")
_configured: Final[list[bool]] = []


def use(chosen: Settings) -> list[str]:
    """Have every call from now on priced as ``chosen`` says; one sentence for each fault."""
    _configured[:] = [True]
    problems = list(rules.use_file(chosen.prices))
    tables.keep_at(chosen.prices_table)
    tables.refresh_from(chosen.prices_refresh)
    return problems


def load(options: Mapping[str, object]) -> Settings:
    """The settings of who prices spans alone; its prices are used where nobody has said anything of
    prices before. What cannot be used is logged."""
    chosen, problems = settings.load(options)
    if not _configured:
        problems += use(chosen)
    for problem in problems:
        _log.warning("%s", problem)
    return chosen
