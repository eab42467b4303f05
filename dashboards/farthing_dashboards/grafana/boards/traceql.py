"""Searches for the traces behind a number: what must never be a label of a metric.

TraceQL is written with the attributes' own names, so no naming of Prometheus changes it.
"""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

VALUE: Final = "${__value.raw:percentencode}"
"""In the link of a table's cell: what it is of."""


def spans(attribute: str, value: str = VALUE) -> str:
    """Spans on which ``attribute`` is the text ``value``."""
    return f'{{ span.{attribute} = "{value}" }}'


def explore(search: str) -> str:
    """The address of Explore with this search, over the dashboard's time range."""
    pane = {
        "datasource": "${tempo}",
        "queries": [
            {
                "refId": "A",
                "datasource": {"type": "tempo", "uid": "${tempo}"},
                "queryType": "traceql",
                "query": search,
                "limit": 50,
                "tableType": "spans",
            }
        ],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = json.dumps({"farthing": pane}, separators=(",", ":"))
    # What Grafana fills in stays as it is.
    return f"/explore?schemaVersion=1&orgId=1&panes={quote(panes, safe='${}:,._')}"
