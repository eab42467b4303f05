"""The report: one file, the same numbers, no network."""

from __future__ import annotations

import json
import re

import pytest

from farthing_dashboards.page.report import report_html
from farthing_dashboards.view.filters import Asked
from farthing_dashboards.view.page import page as view_page
from farthing_dashboards.view.page import people
from farthing_dashboards.view.trace import trace
from farthing_processor import semconv
from tests.dashboards.page.conftest import send

NOW = 1_800_000_000_000_000_000


def report_of(store, now_ns=NOW):
    with store.reading() as connection:
        asked = Asked.of({"since": "all"})
        view = view_page(connection, asked, now_ns)
        traces = [
            found
            for id in dict.fromkeys(call["trace_id"] for call in view["dearest"])
            if (found := trace(connection, id)) is not None
        ]
        return report_html(view, people(connection, asked, now_ns), traces)


def test_the_same_store_gives_the_same_bytes(served):
    send(served.url, {semconv.COST_AMOUNT: 0.25}, {semconv.COST_AMOUNT: 0.5})
    assert report_of(served.store) == report_of(served.store)


def test_it_needs_nothing_else(served):
    report = report_of(served.store)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', report)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', report)
    assert "connect-src 'none'" in policy
    assert "'unsafe" not in policy
    assert len(re.findall("'sha256-", policy)) == 4


def test_data_cannot_leave_its_element(served):
    name = "</script><script>alert(1)</script><!-- \u2028"
    send(served.url, {semconv.COST_AMOUNT: 0.25, semconv.STEP_NAME: name})
    report = report_of(served.store)
    (data,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', report)
    assert json.loads(data)["view"]["steps"][0]["name"] == name
    assert report.count("alert(1)") == data.count("alert(1)")
    assert "\u2028" not in report


@pytest.mark.slow
def test_it_shows_what_the_page_shows(visit, demo, demo_url, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(report_of(demo.store), encoding="utf-8")
    report = visit(file.as_uri(), offline=True)
    live = visit(f"{demo_url}/?since=all")
    for id in ("steps", "workflows", "waste", "models", "flags", "dearest"):
        table = f"[data-key={id}-table] data"
        values = [
            page.locator(table).evaluate_all("all => all.map(data => data.value)")
            for page in (report, live)
        ]
        assert values[0] == values[1] != [], id
    assert report.locator(".sum").inner_text() == f"${demo.summary.total.cost:.2f}"
    assert report.locator(".trend canvas").count() == 1

    # What needs a server is not there, and why is said.
    assert report.locator("select, .times, [data-pause], a[data-filter]").count() == 0
    assert "farthing ui" in report.locator("#filters").inner_text()

    for call in (0, 19):
        report.locator("#calls a.open").nth(call).click()
        report.locator("dialog .detail h3").wait_for()
        assert report.locator(".waterfall a").count() > 1
        report.keyboard.press("Escape")
        report.locator("dialog").wait_for(state="hidden")


@pytest.mark.slow
def test_names_from_anywhere_are_text_here_too(visit, served, tmp_path):
    name = "</script><img src=x onerror=alert(1)>"
    send(served.url, {semconv.COST_AMOUNT: 0.25, semconv.STEP_NAME: name, "name": name})
    file = tmp_path / "report.html"
    file.write_text(report_of(served.store), encoding="utf-8")
    page = visit(file.as_uri())
    shown = page.locator("[data-key=steps-table] tbody .label")
    assert shown.evaluate("label => label.textContent") == name
    assert page.locator("main img").count() == 0
