"""The price pack: the shipped table of prices, read when first needed and one provider at a time.

Its format is described in ``scripts/make_prices.py``, which writes it. Reading the file and one
provider takes about a millisecond.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

Rate = str | list[Any]
"""A decimal string, or ``[base, [[threshold, rate], …]]``."""
When = Mapping[str, Any] | None
"""None for always, else ``{"from": date}`` or ``{"daily": [start, end]}``, in UTC."""
Prices = Mapping[str, Rate]
"""Price keys of genai-prices to their rates."""
Clause = Mapping[str, Any]


class Model(NamedTuple):
    """One model of one provider, as the pack has it."""

    provider: str
    id: str
    names: tuple[str, ...]
    """Lower-case names that are this model and no other."""
    clauses: tuple[Clause, ...]
    prices: tuple[tuple[When, Prices], ...]
    variants: tuple[tuple[str, str, When, Prices], ...]
    """(axis, value, when, prices that replace the standard ones)."""
    free: bool


class Provider(NamedTuple):
    """A provider's models."""

    id: str
    by_name: Mapping[str, Model]
    by_clause: tuple[Model, ...]
    """The models with clauses, in the order in which the clauses are tried."""
    fallback: tuple[str, ...]
    """Providers whose models this one serves at their price where it has none of its own."""


class Pack:
    """A parsed header and the lines of the models, parsed by provider on demand."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        header: dict[str, Any] = json.loads(lines[0])
        self.version = f"{header['source']} {header['version']}"
        """Which table this is, as it stands on every priced span."""
        self.released_s = datetime.fromisoformat(header["released"]).timestamp()
        """When the table was published, seconds since the epoch."""
        self._index: dict[str, dict[str, Any]] = header["providers"]
        self._lines = lines
        self._providers: dict[str, Provider] = {}

    def provider(self, name: str) -> Provider | None:
        """The provider of that id, or None."""
        known = self._providers.get(name)
        if known is None and name in self._index:
            # Two threads may both parse it: the results are equal and either may stay.
            known = self._providers[name] = self._parse(name)
        return known

    def _parse(self, name: str) -> Provider:
        entry = self._index[name]
        first = entry["first"]
        lines = self._lines[first : first + entry["count"]]
        models = [_model(name, line) for line in json.loads(f"[{','.join(lines)}]")]
        by_name: dict[str, Model] = {}
        for model in models:
            for model_name in model.names:
                by_name.setdefault(model_name, model)
        by_clause = tuple(model for model in models if model.clauses)
        return Provider(name, by_name, by_clause, tuple(entry.get("fallback", ())))


def _model(provider: str, line: dict[str, Any]) -> Model:
    return Model(
        provider,
        line["id"],
        tuple(line.get("names", (line["id"].lower(),))),
        tuple(line.get("match", ())),
        tuple((when, prices) for when, prices in line["prices"]),
        tuple(
            (axis, value, when, prices) for axis, value, when, prices in line.get("variants", ())
        ),
        line.get("free", False),
    )


@cache
def shipped() -> Pack:
    """The pack of this distribution."""
    data = pkgutil.get_data(__name__, "data/prices.jsonl")
    assert data is not None, "the distribution lacks its price pack"
    return Pack(data.decode())
