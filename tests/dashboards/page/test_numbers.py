"""The page's numbers against the run that it shows, whose costs equal the simulator's bill."""

from __future__ import annotations

from decimal import Decimal

import pytest

from farthing_dashboards.store.rows import cost_of, is_call
from farthing_dashboards.view.words import FLAGS
from farthing_processor import semconv

pytestmark = pytest.mark.slow

SECTIONS = [
    "Spend",
    "Where it goes",
    "Steps",
    "Cost per completed workflow",
    "Waste",
    "Speed and errors",
    "Models",
    "Prompt cache",
    "Who spends",
    "Dearest calls",
    "How far to trust this",
]
_READ = """table => Array.from(table.querySelectorAll("tbody tr, tfoot tr"), row =>
  Array.from(row.children, cell => [cell.querySelector("data")?.value ?? null, cell.innerText]))"""


@pytest.fixture
def page(visit, demo_url):
    return visit(demo_url)


def rows(page, id):
    """The rows of a table as (exact value, text) of each cell, by heading and by name."""
    table = page.locator(f"[data-key={id}] table")
    heads = table.locator("thead th").all_inner_texts()
    found = table.evaluate(_READ)
    return {cells[0][1].strip(): dict(zip(heads, cells, strict=True)) for cells in found}


def usd(cell):
    return Decimal(cell[0])


def exact(amount):
    return amount.quantize(Decimal("1e-12"))


def test_the_sections_come_in_their_order(page):
    assert page.locator("main h2").all_inner_texts() == SECTIONS
    assert page.locator("#rail a").all_inner_texts() == SECTIONS


def test_spend_is_the_sum_of_every_call(page, demo):
    total = demo.summary.total
    headline = page.locator(".sum data")
    assert usd([headline.get_attribute("value")]) == exact(total.cost)
    assert headline.inner_text() == f"${total.cost:.2f}"
    assert headline.get_attribute("title") == f"${headline.get_attribute('value')}"
    assert page.title() == f"${total.cost:.2f} · farthing"
    facts = dict(
        zip(
            page.locator("#spend dt").all_inner_texts(),
            page.locator("#spend dd").all_inner_texts(),
            strict=True,
        )
    )
    assert facts["calls"] == str(total.calls)
    assert facts["last hour"] == f"${total.cost:.2f}"


def test_the_table_of_steps_is_that_of_the_run(page, demo):
    found = rows(page, "steps-table")
    total = demo.summary.total
    assert list(found) == [row.name for row in demo.summary.steps] + ["total"]
    for row in (*demo.summary.steps, total):
        cells = found[row.name]
        assert usd(cells["spend"]) == exact(row.cost), row.name
        assert cells["calls"] == [str(row.calls), str(row.calls)]
        assert float(cells["avg in"][0]) == pytest.approx(row.average_input)
        assert float(cells["avg out"][0]) == pytest.approx(row.average_output)
        assert float(cells["avg cost"][0]) == pytest.approx(float(row.average_cost), abs=1e-12)
        assert float(cells["of calls"][0]) == pytest.approx(row.calls / total.calls)
        assert float(cells["of spend"][0]) == pytest.approx(float(row.cost / total.cost))
        assert cells["outliers"][1] == (str(row.outliers) if row.outliers else "\u2013")
    dearest = demo.summary.steps[0]
    weight = float(dearest.cost / total.cost) / (dearest.calls / total.calls)
    assert weight > 5
    assert found[dearest.name]["weight"][1] == f"{weight:.1f}x its volume"
    shares = [float(cells["of spend"][0]) for name, cells in found.items() if name != "total"]
    assert sum(shares) == pytest.approx(1)


def test_the_pareto_adds_up_to_everything(page, demo):
    total = demo.summary.total
    bars = page.locator(".pareto li")
    assert bars.locator(".who").all_inner_texts() == [row.name for row in demo.summary.steps]
    together = Decimal(0)
    for index, row in enumerate(demo.summary.steps):
        together += row.cost
        shown = bars.nth(index).locator("data").evaluate_all("all => all.map(data => data.value)")
        assert float(shown[0]) == pytest.approx(float(row.cost / total.cost))
        assert Decimal(shown[1]) == exact(row.cost)
        assert float(shown[2]) == pytest.approx(float(together / total.cost))
    corners = page.locator(".pareto polyline").get_attribute("points").split()
    assert len(corners) == len(demo.summary.steps)
    assert corners[-1].startswith("100.00,")


def test_the_trend_is_drawn_and_told(page, demo):
    assert page.locator(".trend canvas").count() == 1
    names = page.locator(".legend .label").all_inner_texts()
    assert names[:6] == [row.name for row in demo.summary.steps[:6]]
    page.get_by_text("The same as a table").click()
    told = rows(page, "trend-numbers")
    assert sum(usd(cells["spend"]) for cells in told.values()) == exact(demo.summary.total.cost)
    page.locator(".plot").focus()
    last, cells = list(told.items())[-1]
    readout = page.locator(".readout")
    page.keyboard.press("ArrowLeft")
    while not (said := readout.inner_text()).startswith(last):
        assert "$0, 0 calls" in said  # later slots, in which nothing came
        page.keyboard.press("ArrowLeft")
    assert cells["spend"][1] in said


def test_workflows_cost_what_their_runs_did(page, demo):
    found = rows(page, "workflows-table")
    assert list(found) == [workflow.name for workflow in demo.summary.workflows]
    for workflow in demo.summary.workflows:
        cells = found[workflow.name]
        assert cells["runs"][0] == str(workflow.runs)
        assert cells["succeeded"][0] == str(workflow.successes)
        assert usd(cells["spend"]) == exact(workflow.cost)
        per_success = float(workflow.cost_per_success)
        assert float(cells["cost per success"][0]) == pytest.approx(per_success, abs=1e-12)


def test_waste_and_flags_are_those_of_the_run(page, demo):
    found = rows(page, "waste-table")
    assert {name: usd(cells["spend"]) for name, cells in found.items()} == {
        **{reason: exact(cost) for reason, cost in demo.summary.waste.items()},
        "total": exact(demo.summary.wasted),
    }
    flags = rows(page, "flags-table")
    counts = {name: int(cells["calls"][0]) for name, cells in flags.items()}
    told = {reason: count for reason, count in demo.summary.flags.items() if reason in FLAGS}
    assert counts == told


def test_models_are_those_of_the_run(page, demo):
    found = rows(page, "models-table")
    assert list(found) == [row.name for row in demo.summary.models]
    for row in demo.summary.models:
        assert usd(found[row.name]["spend"]) == exact(row.cost)
        assert float(found[row.name]["input"][0]) == row.input_tokens


def test_speed_stands_beside_the_spend(page, demo):
    found = rows(page, "speed-table")
    assert list(found) == [row.name for row in demo.summary.steps]
    for step in demo.summary.steps:
        calls = [
            span
            for span in filter(is_call, demo.collected.spans)
            if span.attributes[semconv.STEP_NAME] == step.name
        ]
        seconds = sorted((span.end_ns - span.start_ns) / 1e9 for span in calls)
        cells = found[step.name]
        assert seconds[0] * 0.95 <= float(cells["p50"][0]) <= float(cells["p95"][0])
        assert float(cells["p95"][0]) <= seconds[-1] * 1.05
        failed = sum(semconv.ERROR_TYPE in span.attributes for span in calls)
        assert cells["failed"] == [str(failed), f"{failed / len(calls):.1%}"]
        assert usd(cells["spend"]) == exact(step.cost)


def test_the_cache_says_what_it_saved(page, demo):
    saved = page.locator("#cache dd data").first
    assert Decimal(saved.get_attribute("value")) == exact(demo.summary.cache_savings)


def test_the_dearest_calls_are_the_dearest(page, demo):
    costs = sorted(filter(None, map(cost_of, filter(is_call, demo.collected.spans))), reverse=True)
    shown = page.locator("#calls a.open data").evaluate_all("all => all.map(data => data.value)")
    assert [Decimal(cost) for cost in shown] == [exact(cost) for cost in costs[:20]]


def test_the_trust_row_counts_what_cannot_be_relied_on(page, demo):
    facts = page.locator("#trust .facts > div")
    said = {each.locator("dt").inner_text(): each.locator("dd") for each in facts.all()}
    total, estimated = demo.summary.total, demo.summary.estimated
    assert said["without a price"].first.inner_text() == f"{total.unpriced / total.calls:.1%}"
    assert said["estimated"].first.inner_text() == f"{estimated.calls / total.calls:.1%}"
    spent = said["estimated"].nth(1).locator("data").first.get_attribute("value")
    assert Decimal(spent) == exact(estimated.cost)
    tables = rows(page, "prices-table")
    assert [name for name in tables if name.startswith("genai-prices")]
    assert all("old" in cells["age"][1] for cells in tables.values())


FORMATS = {
    "money('21.88239831')": "$21.88",
    "money('0.0231504')": "$0.0232",
    "money('0.00000728')": "$0.0000073",
    "money('1234567.891')": "$1 234 567.89",
    "money('-0.5')": "\u2212$0.50",
    "money('0')": "$0",
    "money(null)": "\u2013",
    "count(38094)": "38 094",
    "tokens(2590000)": "2.59 M",
    "share(0.7652)": "76.5%",
    "share(0.00001)": "<0.1%",
    "share(null)": "\u2013",
    "times(8.502)": "8.5x",
    "duration(0.0067)": "6.7 ms",
    "duration(2.413)": "2.41 s",
    "duration(59.99)": "60.0 s",
    "duration(192)": "3 min 12 s",
    "duration(997200)": "11 d 13 h",
    "ago(0, 192000)": "3 min ago",
    "since('24h')": "24 h",
}


def test_numbers_are_written_to_be_read(page):
    written = page.evaluate(
        """async calls => {
          const format = await import("/static/format.js");
          const names = Object.keys(format);
          return calls.map(call =>
            names.reduce((found, name) => found ?? (call.startsWith(name + "(")
              ? format[name](...JSON.parse("[" + call.slice(name.length + 1, -1)
                  .replaceAll("'", '"') + "]"))
              : null), null));
        }""",
        list(FORMATS),
    )
    assert [text.replace("\u202f", " ") for text in written] == list(FORMATS.values())
