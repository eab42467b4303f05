"""TraceQL, in the dashboards' links and in the documentation: its form, and the names it asks for.

No Tempo is at hand to ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from farthing_dashboards import grafana
from farthing_processor import semconv

PAGE = Path(__file__).parents[3] / "docs" / "grafana.md"
FILES = sorted((Path(grafana.__file__).parent / "files").glob("*.json"))
TRACEQL = re.compile(
    r"""\{ span\.[\w.]+ (=|!=|>|<|>=|<=) ("[^"]*"|true|[\d.]+)"""
    r"""( && span\.[\w.]+ (=|!=|>|<|>=|<=) ("[^"]*"|true|[\d.]+))* \}"""
    r"""( \| (sum|max|quantile|count|avg|min)_over_time\(span\.[\w.]+(, [\d.]+)*\)"""
    r"""( by \(((span|resource)\.[\w.]+|name|trace:id)\))?( \| topk\(\d+\))?)?"""
    r"""( \| select\(span\.[\w.]+(, span\.[\w.]+)*\))?"""
)


def test_links_lead_to_traces() -> None:
    known = {value for name, value in vars(semconv).items() if name.isupper()}
    searches = [*linked_searches(), *documented_searches()]
    assert len(searches) > 30
    for search in searches:
        assert TRACEQL.fullmatch(search), search
        assert set(re.findall(r"span\.([\w.]+)", search)) <= known, search


def linked_searches() -> Iterator[str]:
    for file in FILES:
        text = json.dumps(json.loads(file.read_text("utf-8")))
        for address in re.findall(r"/explore\?[^)\"\\]+", text):
            (panes,) = parse_qs(urlsplit(address).query)["panes"]
            pane = json.loads(panes)["farthing"]
            (query,) = pane["queries"]
            assert query["datasource"] == {"type": "tempo", "uid": "${tempo}"}
            yield query["query"]


def documented_searches() -> Iterator[str]:
    page = PAGE.read_text("utf-8")
    for block in re.findall(r"```traceql\n(.+?)```", page, re.DOTALL):
        yield " ".join(block.split())
