"""The queries of the committed dashboards, as Grafana would ask them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


class Query(NamedTuple):
    """One query of a panel."""

    board: str
    panel: str
    ref: str
    index: int
    """Of the panel's queries."""
    expression: str
    instant: bool

    @property
    def of_rates(self) -> bool:
        """Whether it asks how fast things happen at a moment, and not how much there was."""
        return "$__rate_interval" in self.expression

    def asked(self, values: Mapping[str, str]) -> str:
        """Its expression with values for variables; raises KeyError for one that has none."""
        return _VARIABLE.sub(lambda found: values[found[1] or found[2]], self.expression)


class Variable(NamedTuple):
    """A choice of a dashboard: the values of a label that a query finds."""

    board: str
    name: str
    query: str
    regex: str

    def values(self, answers: Iterable[Mapping[str, str]]) -> set[str]:
        """What Grafana reads in the labels of its query's answers, which it prints first."""
        pattern = re.compile(self.regex.strip("/"))
        printed = ("{" + ",".join(f'{k}="{v}"' for k, v in each.items()) + "}" for each in answers)
        return {found[1] for each in printed if (found := pattern.search(each))}


@cache
def queries() -> tuple[Query, ...]:
    """All of them."""
    return tuple(query for board in _boards() for query in _of(board))


def variables() -> list[Variable]:
    """Those that are chosen from what Prometheus has."""
    return [
        Variable(
            board["uid"],
            each["name"],
            each["query"]["query"].removeprefix("query_result(").removesuffix(")"),
            each["regex"],
        )
        for board in _boards()
        for each in board["templating"]["list"]
        if each["type"] == "query"
    ]


def _boards() -> list[Any]:
    folder = files("farthing_dashboards.grafana") / "files"
    found = sorted(file.name for file in folder.iterdir() if file.name.endswith(".json"))
    return [json.loads((folder / name).read_text()) for name in found]


def _of(board: Any) -> Iterator[Query]:
    for panel in _panels(board["panels"]):
        for index, target in enumerate(panel.get("targets", ())):
            yield Query(
                board["uid"],
                panel["title"],
                target["refId"],
                index,
                target["expr"],
                bool(target.get("instant")),
            )


def _panels(panels: Any) -> Iterator[Any]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", ()))  # those of a row that is folded
