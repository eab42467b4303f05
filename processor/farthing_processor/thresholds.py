"""Thresholds: from where on a call is not normal, for every step and for those that differ.

The steps that differ are a text, ``step: threshold=value, …; other step: …``, or in code and YAML
the same as a mapping of mappings::

    FARTHING_OUTLIERS="doc synthesis: factor=8, min_usd=0.1; embed*: low_yield=off; *: factor=6"

A step is a pattern (``*`` stands for anything, upper case or lower). Of what more than one entry
says of a step, the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import translate
from math import inf
from typing import Any, Final, NamedTuple, cast

from farthing_processor.baselines import MINIMUM

OFF: Final = inf
"""What nothing is more than."""


class Thresholds(NamedTuple):
    """The thresholds of one step. Immutable. A reason is given above its own, never at it."""

    factor: float = 5.0
    """Of the step's median: what a call may cost."""
    min_usd: float = 0.0001
    """What a call must cost for its cost or its size to matter."""
    min_count: int = MINIMUM
    """Calls before the step has a median."""
    cold_usd: float = 0.005
    """What a call may cost where the step has none."""
    context_growth: float = 5.0
    """Of the input tokens of the first call: what later ones may have."""
    completion_spike: float = 5.0
    """Of the step's median output: what a call may put out."""
    retry_storm: float = 5.0
    """Failed attempts of the step within a minute, from which on there is a storm."""
    repeated_prompt: float = 1.0
    """Earlier calls of the workflow with the same prompt, from which on it is repeated."""
    large_uncached_prefix: float = 2000.0
    """Input tokens that may go without a cache."""
    low_yield: float = 50.0
    """Of the output tokens: what the input may have."""


Entry = tuple[str, tuple[tuple[str, float], ...]]
"""A pattern, and the thresholds of the steps that it matches."""

_LEAST: Final[Mapping[str, float]] = {
    "factor": 1,
    "min_usd": 0,
    "min_count": 1,
    "cold_usd": 0,
    "context_growth": 1,
    "completion_spike": 1,
    "retry_storm": 1,
    "repeated_prompt": 1,
    "large_uncached_prefix": 0,
    "low_yield": 0,
}
_ALWAYS: Final = frozenset({"min_usd", "min_count"})
"""Those that cannot be off: they are no reason."""


class Rules(NamedTuple):
    """The thresholds of all steps. Immutable."""

    base: Thresholds = Thresholds()
    entries: tuple[Entry, ...] = ()

    def of(self, step: str) -> Thresholds:
        """The thresholds of a step."""
        found: dict[str, Any] = {}
        for pattern, values in self.entries:
            if re.fullmatch(translate(pattern), step, re.IGNORECASE):
                found = dict(values) | found
        return self.base._replace(**found)

    def counts(self) -> frozenset[int]:
        """All values that ``min_count`` has for any step."""
        said = (dict(values).get("min_count") for _, values in self.entries)
        return frozenset({self.base.min_count, *(int(count) for count in said if count)})


def reader(name: str) -> Callable[[object], float]:
    """A reader of the value of one threshold: it raises ValueError, saying what to use."""
    least, can_be_off = _LEAST[name], name not in _ALWAYS
    whole = name == "min_count"

    def read(value: object) -> float:
        text = str(value).strip().lower()
        # YAML reads off as false.
        if can_be_off and text in ("off", "false"):
            return OFF
        try:
            number = int(text) if whole else float(text)
        except ValueError:
            number = -1
        if not least <= number < inf:
            kind = "whole number" if whole else "number"
            raise ValueError(f"use a {kind} of at least {least}{', or off' if can_be_off else ''}")
        return number

    return read


def entries(value: object) -> tuple[Entry, ...]:
    """The entries of a text or a mapping. Raises ValueError, in words that say what to write."""
    if isinstance(value, str):
        return tuple(_entry(text) for text in value.split(";") if text.strip())
    if not isinstance(value, Mapping):
        raise ValueError(_FORM)
    given = cast(Mapping[object, object], value)
    return tuple(_checked(str(step), values) for step, values in given.items())


_FORM: Final = "write it as step: factor=8, min_usd=0.1; other*: low_yield=off"


def _entry(text: str) -> Entry:
    # A step may have a colon in its name, as that of a fine-tuned model does; a value has none.
    step, _, said = text.rpartition(":")
    pairs = [pair.partition("=") for pair in said.split(",") if pair.strip()]
    if not step.strip() or not pairs or not all(equals for _, equals, _ in pairs):
        raise ValueError(_FORM)
    return _checked(step, {name.strip(): value for name, _, value in pairs})


def _checked(step: str, values: object) -> Entry:
    if not isinstance(values, Mapping) or not values:
        raise ValueError(_FORM)
    read: list[tuple[str, float]] = []
    for key, value in cast(Mapping[object, object], values).items():
        name = str(key)
        if name not in _LEAST:
            near = get_close_matches(name, _LEAST, 1)
            instead = f"write {near[0]!r}" if near else f"use {', '.join(_LEAST)}"
            raise ValueError(f"{name!r} of {step.strip()!r} is no threshold, {instead}")
        try:
            read.append((name, reader(name)(value)))
        except ValueError as error:
            raise ValueError(f"for {name!r} of {step.strip()!r} {error}") from None
    return step.strip(), tuple(read)
