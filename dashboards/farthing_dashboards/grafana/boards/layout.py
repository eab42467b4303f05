"""A dashboard: headed rows of panels on Grafana's grid, and the variables that all of them have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.dashboard import Panel

from farthing_dashboards.grafana.boards.panels import METRICS
from farthing_dashboards.grafana.boards.quantities import RANGE
from farthing_dashboards.grafana.names import ENVIRONMENT, SERVICE, label, series
from farthing_processor import metrics

COLUMNS: Final = 24
TAG: Final = "farthing"
"""What all our dashboards are found by."""


def board(
    name: str, title: str, says: str, rows: Mapping[str, Sequence[Panel]], *, since: str = "now-6h"
) -> model.Dashboard:
    """The dashboard ``name``; ``rows`` are its panels by heading."""
    others = dashboard.DashboardLink(TAG).type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    made = (
        dashboard.Dashboard(title)
        .uid(f"{TAG}-{name}")
        .description(says)
        .tags([TAG])
        .time(since, "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(others.title("Farthing").as_dropdown(False).include_vars(True).keep_time(True))
        .variables(
            [
                dashboard.DatasourceVariable("datasource").label("Metrics").type("prometheus"),
                dashboard.DatasourceVariable("tempo").label("Traces").type("tempo"),
                _choice("service", "Service", SERVICE),
                _choice("environment", "Environment", label(ENVIRONMENT)),
            ]
        )
        .build()
    )
    made.panels = _placed(rows)
    return made


def as_json(made: model.Dashboard) -> str:
    return json.dumps(made, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _choice(name: str, title: str, from_label: str) -> dashboard.QueryVariable:
    """Values of a label in the time range, any of which may be chosen.

    Of the one metric that each process has from its start. Not by ``label_values``: older Grafanas
    read no label with a dot there. All is ``.*``, which series without the label match too.
    """
    age = series(metrics.PRICES_AGE)
    query = f"query_result(group by ({from_label}) (last_over_time({age}[{RANGE}])))"
    pattern = from_label.replace("_", ".")
    return (
        dashboard.QueryVariable(name)
        .label(title)
        .datasource(METRICS)
        .query({"query": query, "refId": name})
        .regex(f'/{pattern}"?="([^"]+)"/')
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _placed(rows: Mapping[str, Sequence[Panel]]) -> list[Panel | model.RowPanel]:
    """Panels from left to right, a new line where one does not fit; numbered as they come."""
    placed: list[Panel | model.RowPanel] = []
    y = 0
    for title, panels in rows.items():
        heading = model.GridPos(h=1, w=COLUMNS, x=0, y=y)
        placed.append(model.RowPanel(False, title, grid_pos=heading, id_val=len(placed) + 1))
        y, x, height = y + 1, 0, 0
        for panel in panels:
            at = panel.grid_pos
            assert at is not None
            if x + at.w > COLUMNS:
                y, x, height = y + height, 0, 0
            at.x, at.y = x, y
            x, height = x + at.w, max(height, at.h)
            panel.id_val = len(placed) + 1
            placed.append(panel)
        y += height
    return placed
