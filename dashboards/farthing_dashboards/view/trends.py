"""The trend: what each slot of the time that is shown cost, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from farthing_dashboards.view.money import spent, usd
from farthing_dashboards.view.reading import View, sums_by_slot
from farthing_dashboards.view.rows import WASTED, wasted

OTHER: Final = "other"
"""The steps that are not drawn each for itself, as one."""
_DRAWN: Final = 6
_COLUMNS: Final = ("calls", "priced", "errors", "cost", *WASTED)


class Spend(NamedTuple):
    """What some calls of one slot came to."""

    calls: int = 0
    priced: int = 0
    cost: int = 0

    def plus(self, other: Spend) -> Spend:
        return Spend(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def usd(self) -> str | None:
        return spent(*self)


_NOTHING: Final = Spend()


class Trend(NamedTuple):
    """Sums by slot; those that have no calls are not in the mappings."""

    starts: range
    """Of all slots, in seconds since the Unix epoch."""
    total: dict[int, Spend]
    errors: dict[int, int]
    wasted: dict[int, int]
    steps: dict[str, dict[int, Spend]]
    workflows: dict[str, dict[int, Spend]]

    def at(self) -> list[int]:
        """Where slots begin, in milliseconds since the Unix epoch."""
        return [start * 1000 for start in self.starts]

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at(),
            "cost": self._costs(self.total),
            "calls": [self.total.get(start, _NOTHING).calls for start in self.starts],
            "errors": [self.errors.get(start, 0) for start in self.starts],
            "wasted": [usd(self.wasted.get(start, 0)) for start in self.starts],
            "steps": [
                {"name": name, "cost": self._costs(found)} for name, found in self.steps.items()
            ],
        }

    def _costs(self, found: dict[int, Spend]) -> list[str | None]:
        return [found.get(start, _NOTHING).usd for start in self.starts]


def trend(view: View, steps: Sequence[str]) -> Trend:
    """The trend of what is asked for; ``steps`` are its steps, the dearest first."""
    drawn = dict.fromkeys(steps[:_DRAWN])
    names = [*drawn, *([OTHER] if len(steps) > _DRAWN else [])]
    found = Trend(view.period.starts(), {}, {}, {}, {name: {} for name in names}, {})
    window, slot = view.window(), view.period.slot
    for start, id, sums in sums_by_slot(view.connection, window, slot, _COLUMNS):
        if (group := view.named.get(id)) is None:
            continue
        spend = Spend(sums["calls"], sums["priced"], sums["cost"])
        step = group["step"] if group["step"] in drawn else OTHER
        for by in (
            found.total,
            found.steps[step],
            found.workflows.setdefault(group["workflow"], {}),
        ):
            by[start] = by.get(start, _NOTHING).plus(spend)
        found.errors[start] = found.errors.get(start, 0) + sums["errors"]
        found.wasted[start] = found.wasted.get(start, 0) + wasted(sums)
    return found
