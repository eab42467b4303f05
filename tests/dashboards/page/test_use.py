"""Using the page: filters and the address, traces, the keyboard, and numbers that change."""

from __future__ import annotations

import re

import pytest

from farthing_dashboards.page.server import PageServer
from farthing_processor import semconv
from tests.dashboards.page.conftest import send

pytestmark = pytest.mark.slow
SOON = 15_000
"""Milliseconds that the page may take to ask again, however busy the machine is."""

_COPY = """selector => {
  getSelection().selectAllChildren(document.querySelector(selector));
  const clipboardData = new DataTransfer();
  document.dispatchEvent(new ClipboardEvent("copy", { clipboardData, bubbles: true }));
  return clipboardData.getData("text/plain");
}"""


def step_names(page):
    return page.locator("[data-key=steps-table] tbody th").all_inner_texts()


def says(page, selector, text):
    """Waits until it does."""
    from playwright.sync_api import expect

    expect(page.locator(selector).first).to_contain_text(text, timeout=SOON)


def dollars(amount):
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def spent(page, text):
    says(page, ".sum", text)


def test_a_row_filters_the_page_and_the_address_says_so(visit, demo_url, demo):
    page = visit(demo_url)
    whole = page.locator(".sum").inner_text()
    step = demo.summary.steps[1]
    page.locator("[data-key=steps-table] a", has_text=step.name).click()
    spent(page, dollars(step.cost))
    assert step_names(page) == [step.name]
    assert page.url == f"{demo_url}/?step={step.name}"
    chip = page.locator(".chip")
    assert " ".join(chip.inner_text().split()).startswith(f"step {step.name}")
    assert page.locator("select[name=step]").input_value() == step.name

    copied = visit(page.url)
    assert copied.locator(".sum").inner_text() == dollars(step.cost)

    page.go_back()
    spent(page, whole)
    assert page.locator(".chip").count() == 0
    page.go_forward()
    spent(page, dollars(step.cost))
    chip.click()
    spent(page, whole)
    assert page.url.rstrip("?") == f"{demo_url}/"


@pytest.mark.parametrize(("section", "dimension"), [("models", "model"), ("workflows", "workflow")])
def test_models_and_workflows_filter_too(visit, demo_url, section, dimension):
    page = visit(demo_url)
    row = page.locator(f"[data-key={section}-table] tbody tr").first
    name = row.locator("th").inner_text()
    cost = row.locator("td").last if section == "models" else row.locator("td").nth(2)
    cost = cost.inner_text()
    row.locator("a").click()
    spent(page, cost)
    assert page.locator("select[name=service]").input_value() == ""
    assert page.locator(f"select[name={dimension}]").input_value() == name


def test_the_filters_of_the_bar_add_up(visit, demo_url):
    page = visit(demo_url)
    page.locator("select[name=workflow]").select_option("customer_report")
    page.wait_for_url("**workflow=customer_report*")
    page.get_by_role("link", name="1h", exact=True).click()
    page.wait_for_url("**since=1h*")
    says(page, ".times [aria-current]", "1h")
    assert "workflow=customer_report" in page.url
    assert page.locator("[data-key=workflows-table] tbody tr").count() == 1


def test_a_time_between_two_moments_can_be_asked_for(visit, demo_url):
    page = visit(demo_url, timezone_id="Asia/Tokyo")
    page.locator("summary", has_text="between").click()
    page.locator("input[name=start]").fill("2020-01-01T09:00")
    page.locator("input[name=end]").fill("2020-01-02T09:00")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_selector("body[data-ready=none]")
    assert "start=2020-01-01T00%3A00%3A00Z" in page.url
    assert "not live" in page.locator("#live").inner_text()
    assert page.locator("h2").inner_text() == "No call matches"
    page.get_by_role("link", name="Clear the filters").click()
    page.wait_for_selector("body[data-ready=page]")
    assert page.url.rstrip("?") == f"{demo_url}/"


def test_a_question_that_makes_no_sense_is_answered_in_a_sentence(visit, demo_url):
    page = visit(f"{demo_url}/?since=yesterday", ready="error", expected="400 (Bad Request)")
    assert "since='yesterday'" in page.get_by_role("alert").inner_text()
    page.get_by_role("link", name="Start over").click()
    page.wait_for_selector("body[data-ready=page]")


def test_a_dear_call_opens_its_trace_and_says_why(visit, demo_url, demo):
    page = visit(demo_url)
    dearest = page.locator("#calls a.open").first
    cost = dearest.locator("data").get_attribute("value")
    dearest.click()
    detail = page.locator("dialog .detail")
    detail.wait_for()
    assert re.fullmatch(re.escape(demo_url) + r"/#trace=[0-9a-f]{32}&span=[0-9a-f]{16}", page.url)
    trace_id, span_id = re.findall(r"=([0-9a-f]+)", page.url)
    spans = [span for span in demo.collected.spans if span.trace_id == trace_id]
    assert page.locator(".waterfall a").count() == len(spans)
    chosen = page.locator(".waterfall li:has([aria-current])")
    assert chosen.get_attribute("data-key") == span_id
    assert detail.locator("tfoot data").last.get_attribute("value") == cost
    assert "What it cost" in detail.inner_text()
    total = sum(
        float(each)
        for each in page.locator(".waterfall .value:nth-child(2) data").evaluate_all(
            "all => all.map(d => d.value)"
        )
    )
    shown = page.locator("dialog .facts data").first.get_attribute("value")
    assert total == pytest.approx(float(shown))

    again = visit(page.url)
    again.locator("dialog[open] .detail tfoot").wait_for()
    assert again.locator(".waterfall li:has([aria-current])").get_attribute("data-key") == span_id


def test_a_flagged_call_says_why_it_was_flagged(visit, demo_url):
    page = visit(demo_url)
    page.locator("#calls tr", has_text="flagged").first.locator("a.open").click()
    page.locator("dialog .detail", has_text="Why it was flagged").wait_for()
    said = page.locator("dialog .detail .alert").all_inner_texts()
    assert any("flagged above" in sentence for sentence in said), said


def test_a_trace_that_is_not_there_is_said(visit, demo_url):
    page = visit(f"{demo_url}/#trace={'ab' * 16}", expected="404 (Not Found)")
    page.locator("dialog [role=alert]").wait_for()
    assert "no trace" in page.locator("dialog [role=alert]").inner_text()


def test_the_keyboard_is_enough(visit, demo_url):
    page = visit(demo_url)
    focused = "document.activeElement"

    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.id") == "content"

    seen = []
    for _ in range(150):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(f"{focused}.closest('section, dialog')?.id ?? ''"))
        outline = page.evaluate(f"getComputedStyle({focused}).outlineStyle")
        assert outline != "none" or seen[-1] == "", seen[-1]
        if page.evaluate(f"{focused}.matches('a.open')"):
            break
    assert {"spend", "pareto", "steps", "workflows", "models", "calls"} <= set(seen)

    page.keyboard.press("Enter")
    page.locator("dialog[open] .waterfall [aria-current]").wait_for()
    assert page.evaluate(f"{focused}.matches('.waterfall [aria-current]')")
    chosen = "document.querySelector('.waterfall li:has([aria-current])').dataset.key"
    page.keyboard.press("Home")
    first = page.evaluate(chosen)
    page.keyboard.press("ArrowDown")
    second = page.evaluate(chosen)
    assert first != second
    assert second in page.url
    assert page.evaluate(f"{focused}.closest('li').dataset.key") == second
    page.keyboard.press("ArrowUp")
    assert page.evaluate(chosen) == first
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.className") == "detail"
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    assert "#" not in page.url
    assert page.evaluate(f"{focused}.matches('a.open')")


def test_an_empty_store_says_what_to_run_and_fills_while_one_looks(visit, served):
    page = visit(served.url, ready="empty")
    assert "farthing run python my_agent.py" in page.locator("main").inner_text()
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={served.url}" in page.locator("main").inner_text()
    page.evaluate("window.stayed = true")

    send(served.url, {semconv.COST_AMOUNT: 0.25})
    page.wait_for_selector("body[data-ready=page]", timeout=SOON)
    spent(page, "$0.25")

    page.locator("[data-key=steps-table] a", has_text="plan").focus()
    says(page, "[data-key=users]", "No call says its user")
    page.evaluate("document.querySelector('#steps-title').scrollIntoView({ behavior: 'instant' })")
    page.evaluate("window.row = document.querySelector('[data-key=plan]')")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#steps-title'))")
    # Rows above may push everything down; what one reads stays where it is.
    place = "document.querySelector('#steps-title').getBoundingClientRect().top"
    at = page.evaluate(place)
    send(served.url, {semconv.COST_AMOUNT: 2.5, semconv.STEP_NAME: "write"})
    spent(page, "$2.75")
    assert step_names(page) == ["write", "plan"]
    assert page.evaluate("document.activeElement.textContent") == "plan"
    assert page.evaluate(place) == pytest.approx(at, abs=1)
    assert page.evaluate("getSelection().toString()") == "Steps"
    assert page.evaluate("window.row.isConnected && window.stayed")


def test_a_paused_page_stands_still(visit, served):
    send(served.url, {semconv.COST_AMOUNT: 0.25})
    page = visit(served.url)
    page.clock.install()
    page.reload()
    page.wait_for_selector("body[data-ready=page]")
    page.get_by_role("button", name="Pause").click()
    send(served.url, {semconv.COST_AMOUNT: 0.5})
    page.clock.run_for(60_000)
    assert page.locator(".sum").inner_text() == "$0.25"
    page.keyboard.press("p")
    page.clock.run_for(100)
    spent(page, "$0.75")
    assert "live" in page.locator("#live").inner_text()


def test_a_lost_connection_is_said_and_comes_back(visit, demo):
    with PageServer(demo.store) as server:
        page = visit(server.url, expected="ERR_CONNECTION")
        whole = page.locator(".sum").inner_text()
        port = server.server_address[1]
    says(page, "#live", "does not answer")
    assert page.locator(".sum").inner_text() == whole  # what was known is still there
    with PageServer(demo.store, port=port):
        says(page, "#live .on", "live")


def test_tables_are_copied_with_tabs(visit, demo_url, demo):
    page = visit(demo_url)
    copied = page.evaluate(_COPY, "[data-key=steps-table] tbody")
    lines = [line.split("\t") for line in copied.splitlines()]
    assert [line[0] for line in lines] == [row.name for row in demo.summary.steps]
    assert [line[1] for line in lines] == [str(row.calls) for row in demo.summary.steps]
    assert [float(line[8]) for line in lines] == pytest.approx(
        [float(row.cost) for row in demo.summary.steps], abs=1e-12
    )


def test_numbers_are_copied_as_they_are(visit, demo_url):
    page = visit(demo_url)
    copied = page.evaluate(_COPY, ".sum")
    assert copied == page.locator(".sum data").get_attribute("value")
    assert len(copied) > len(page.locator(".sum").inner_text())


def test_users_filter_too_and_many_sessions_are_summed_up(visit, served):
    calls = [
        {
            semconv.COST_AMOUNT: 0.5 + (index < 3),
            semconv.USER_ID: "ada" if index < 3 else "grace",
            semconv.SESSION_ID: f"s-{index}",
        }
        for index in range(60)
    ]
    send(served.url, *calls)
    page = visit(served.url)
    sessions = page.locator("[data-key=sessions-table]")
    sessions.wait_for()
    assert sessions.locator("tfoot").inner_text().split("\t")[:3] == [
        "the 10 cheapest",
        "10",
        "$5.00",
    ]
    page.get_by_role("button", name="Show all 50 rows").click()
    assert sessions.locator("tbody tr").count() == 50
    page.locator("[data-key=users-table] a", has_text="ada").click()
    spent(page, "$4.50")
    assert page.url == f"{served.url}/?user=ada"


def test_what_has_no_price_is_never_free(visit, served):
    unpriced = {semconv.COST_STATUS: "unpriced", semconv.REQUEST_MODEL: "house-model"}
    send(
        served.url,
        {semconv.COST_AMOUNT: 0.25},
        dict(unpriced),
        {**unpriced, semconv.STEP_NAME: "dark"},
    )
    page = visit(served.url)
    assert page.locator(".sum").inner_text() == "≥ $0.25"
    assert "2 calls of 3" in page.locator(".sum data").get_attribute("title")
    spend = page.locator("[data-key=steps-table] tbody tr > :nth-child(9)").all_inner_texts()
    assert spend == ["≥ $0.25", "unknown"]
    assert "66.7%" in page.locator("#trust .facts").inner_text()
    assert "FARTHING_PRICES" in page.locator("#trust").inner_text()
