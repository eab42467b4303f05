"""The five dashboards as code, each a list of the questions that it answers.

Needs grafana-foundation-sdk, which only development has: what users get are the files made of it.
"""

from __future__ import annotations

from farthing_dashboards.grafana.boards import anomalies, models, overview, trust, workflows
from farthing_dashboards.grafana.boards.layout import as_json

_BOARDS = (overview, workflows, models, anomalies, trust)


def files() -> dict[str, str]:
    """The JSON of each dashboard, in the `suffixed` naming, by the name of its file."""
    made = (module.dashboard() for module in _BOARDS)
    return {f"{dashboard.uid}.json": as_json(dashboard) for dashboard in made}
