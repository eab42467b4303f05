"""The price pack: the shipped table of prices, read when first needed and one model at a time.

Its format is described in `published`, which makes it. Reading the file takes a quarter of a
millisecond, and so does finding a model: only the lines that hold its name are parsed, and for a
name that none holds those with clauses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, cached_property
from typing import Any, NamedTuple

from farthing_processor.pricing.moments import When
from farthing_processor.pricing.overlay import added

_HERE = os.path.dirname(__file__)

Rate = str | list[Any]
"""A decimal string, or ``[base, [[threshold, rate], …]]``."""
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


class Provider:
    """A provider's models, parsed as they are asked for."""

    def __init__(self, name: str, lines: list[str], fallback: tuple[str, ...]) -> None:
        self.id = name
        self.fallback = fallback
        """Providers whose models this one serves at their price where it has none of its own."""
        self.by_name: Mapping[str, Model] = _Named(self._model, lines)
        self._lines = lines
        # Two threads may both parse a line: the results are equal and either may stay.
        self._models: dict[int, Model] = {}

    @cached_property
    def by_clause(self) -> tuple[Model, ...]:
        """The models with clauses, in the order in which the clauses are tried."""
        return tuple(self._model(at) for at, line in enumerate(self._lines) if '"match":' in line)

    @property
    def models(self) -> Mapping[str, Model]:
        """Every model by its id."""
        return {model.id: model for model in map(self._model, range(len(self._lines)))}

    def _model(self, at: int) -> Model:
        model = self._models.get(at)
        if model is None:
            model = self._models[at] = _model(self.id, json.loads(self._lines[at]))
        return model


class _Named(Mapping[str, Model]):
    """Models by their names; the first that has a name is the one it means."""

    def __init__(self, model: Callable[[int], Model], lines: list[str]) -> None:
        self._model = model
        # Names are lower-case; an id that is the only name of its model need not be.
        self._text = "\n".join(lines).lower()
        self._count = len(lines)

    def __getitem__(self, name: str) -> Model:
        quoted = json.dumps(name, ensure_ascii=False)
        place = self._text.find(quoted)
        while place >= 0:
            model = self._model(self._text.count("\n", 0, place))
            if name in model.names:
                return model
            place = self._text.find(quoted, place + 1)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        models = map(self._model, range(self._count))
        return iter(dict.fromkeys(name for model in models for name in model.names))

    def __len__(self) -> int:
        return sum(1 for _ in self)


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

    @property
    def providers(self) -> tuple[str, ...]:
        """The ids of all providers."""
        return tuple(self._index)

    def provider(self, name: str) -> Provider | None:
        """The provider of that id, or None."""
        known = self._providers.get(name)
        if known is None and name in self._index:
            more = [json.dumps({"id": model, "prices": [[None, {}]]}) for model in added(name)]
            fallback = tuple(self._index[name].get("fallback", ()))
            known = self._providers[name] = Provider(name, self.lines(name) + more, fallback)
        return known

    @property
    def text(self) -> str:
        """What it was made from."""
        return "\n".join(self._lines)

    def lines(self, name: str) -> list[str]:
        """The lines of a provider's models."""
        first, count = self._index[name]["first"], self._index[name]["count"]
        return self._lines[first : first + count]


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
    # As `pkgutil.get_data` does, whose import takes longer than reading the pack.
    return Pack(__spec__.loader.get_data(os.path.join(_HERE, "data", "prices.jsonl")).decode())
