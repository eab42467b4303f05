"""Configuring prices: the settings of prices put to use, once for the process."""

from __future__ import annotations

from typing import Final

from farthing_processor.pricing import rules, tables
from farthing_processor.settings import Settings

_configured: Final[list[bool]] = []


def use(chosen: Settings) -> list[str]:
    """Have every call from now on priced as ``chosen`` says; one sentence for each fault."""
    _configured[:] = [True]
    problems = list(rules.use_file(chosen.prices))
    tables.keep_at(chosen.prices_table)
    tables.refresh_from(chosen.prices_refresh)
    return problems


def use_unless_said(chosen: Settings) -> list[str]:
    """The same, where nobody has said anything of prices before."""
    return [] if _configured else use(chosen)
