"""The committed dashboards: are they what Grafana can show, of what farthing really records?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY

from farthing_dashboards import grafana
from farthing_dashboards.grafana import boards, export
from farthing_dashboards.grafana.names import (
    ENVIRONMENT,
    NAMINGS,
    SERVICE,
    Naming,
    label,
    relabelled,
    renamed,
    series,
)
from farthing_processor import metrics, semconv
from farthing_processor.metrics import CATALOGUE, Metric

ROOT = Path(__file__).parents[3]
FILES = sorted((Path(grafana.__file__).parent / "files").glob("*.json"))
PARTS = {"histogram": ("sum", "count", "bucket"), "counter": ("",), "gauge": ("",)}
WINDOWS = {"$__range": "6h", "$__rate_interval": "4m", "1h": "1h", "5m": "5m"}
ON_CHANGE = {"rate", "increase", "resets"}
"""Functions that are only right for what never falls."""
BUILT_IN = {"__range", "__range_s", "__rate_interval", "__from", "__to", "__value", "__all"}
for_each_board = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
for_each_naming = pytest.mark.parametrize("naming", NAMINGS)


def test_the_committed_dashboards_are_those_of_the_code() -> None:
    assert {file.name: file.read_text("utf-8") for file in FILES} == boards.files()


def test_there_are_five_with_names_of_their_own() -> None:
    uids = [read(file)["uid"] for file in FILES]
    assert uids == [
        f"farthing-{n}" for n in ("anomalies", "models", "overview", "trust", "workflows")
    ]
    assert len({read(file)["title"] for file in FILES}) == 5


@for_each_board
def test_the_sdk_reads_back_what_it_wrote(file: Path) -> None:
    again = Dashboard.from_json(read(file))
    assert json.loads(json.dumps(again, cls=JSONEncoder)) == read(file)


@for_each_board
def test_panels_have_ids_of_their_own_and_share_no_place(file: Path) -> None:
    panels = read(file)["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        place = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24, panel["title"]
        assert not place & taken, panel["title"]
        taken |= place


@for_each_board
def test_every_variable_is_declared_and_used(file: Path) -> None:
    board = read(file)
    declared = {variable["name"] for variable in board["templating"]["list"]}
    assert declared == {"datasource", "tempo", "service", "environment"}
    used = set(re.findall(r"\$\{?(\w+)", file.read_text("utf-8")))
    assert used - BUILT_IN == declared


@for_each_board
def test_every_panel_says_what_it_answers_in_which_unit_and_when_there_is_nothing(
    file: Path,
) -> None:
    for panel in panels_of(read(file)):
        assert "?" in panel["description"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        if panel["type"] != "text":
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"], panel["title"]
            assert defaults["noValue"].endswith("."), panel["title"]


@for_each_board
def test_the_source_of_data_is_always_the_variable(file: Path) -> None:
    metrics_source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels_of(read(file)):
        assert panel["datasource"] == metrics_source, panel["title"]
        for target in panel.get("targets", ()):
            assert target["datasource"] == metrics_source, panel["title"]


@for_each_board
def test_lines_are_asked_at_each_point_and_all_else_once(file: Path) -> None:
    for panel in panels_of(read(file)):
        for target in panel.get("targets", ()):
            lines = panel["type"] == "timeseries"
            assert (target["range"], target["instant"]) == (lines, not lines), panel["title"]
            # A moment has no rate, and a line through time no total.
            never = "$__range" if lines else "$__rate_interval"
            assert not re.search(rf"{re.escape(never)}\b", target["expr"]), panel["title"]
            assert not lines or target["interval"] == "1m", panel["title"]


@for_each_board
def test_tables_name_all_their_columns(file: Path) -> None:
    for panel in panels_of(read(file)):
        if panel["type"] not in ("table", "barchart"):
            continue
        options = {each["id"]: each["options"] for each in panel["transformations"]}
        titles = options["organize"]["renameByName"]
        (order,) = options["sortBy"]["sort"]
        assert order["desc"], panel["title"]
        assert order["field"] in titles.values(), panel["title"]
        overridden = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        assert overridden <= set(titles.values()), panel["title"]
        for target in panel["targets"]:
            assert target["format"] == "table"
            assert f"Value #{target['refId']}" in titles, panel["title"]
            assert grouped_by(parsed(target["expr"])) <= set(titles), panel["title"]


@for_each_naming
def test_expressions_ask_for_what_is_recorded(naming: Naming) -> None:
    known = {named(metric, part, naming): metric for metric, part in every_series()}
    checked = 0
    for title, expression in expressions(naming):
        for by, selector in selected(parsed(expression)):
            metric = known[name_of(selector)]
            recorded = {*metric.labels, ENVIRONMENT}
            labels = {relabelled(label(name), naming) for name in recorded} | {SERVICE}
            if name_of(selector).endswith("_bucket"):
                labels.add("le")
            asked = by | {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
            assert asked <= labels, (title, name_of(selector), asked - labels)
            checked += 1
    assert checked > 500


@for_each_naming
def test_only_what_never_falls_is_asked_how_it_changed(naming: Naming) -> None:
    gauges = {named(metric, "", naming) for metric in CATALOGUE if metric.kind == "gauge"}
    for title, expression in expressions(naming):
        for node in nodes(parsed(expression)):
            if isinstance(node, promql.Call) and node.func.name in ON_CHANGE:
                asked = {name_of(selector) for _, selector in selected(node)}
                assert asked, title
                assert not asked & gauges, title


def test_every_released_metric_is_shown() -> None:
    shown = {
        name_of(selector)
        for _, expression in expressions("suffixed")
        for _, selector in selected(parsed(expression))
    }
    for metric in CATALOGUE:
        if "released" in metric.choices:
            assert shown & {series(metric, part) for part in PARTS[metric.kind]}, metric.name


def test_windows_are_those_that_grafana_knows() -> None:
    for title, expression in expressions("suffixed"):
        assert set(re.findall(r"\[(.+?)\]", expression)) <= set(WINDOWS), title
        assert set(re.findall(r"\brate\(.+?\[(.+?)\]", expression)) <= {"$__rate_interval"}, title


def test_names_are_those_that_the_exporter_gives() -> None:
    """Of our instruments, through OpenTelemetry's own exporter for Prometheus."""
    reader = PrometheusMetricReader()
    provider = MeterProvider([reader])
    meter = provider.get_meter("farthing")
    for metric in CATALOGUE:
        labels = dict.fromkeys(metric.labels, "x")
        told = (metric.name, metric.unit, metric.description)
        if metric.kind == "gauge":
            meter.create_observable_gauge(
                metric.name, [lambda _, found=labels: [Observation(1, found)]], *told[1:]
            )
        elif metric.kind == "counter":
            meter.create_counter(*told).add(1, labels)
        else:
            meter.create_histogram(*told).record(1, labels)
    emitted = {
        sample.name: set(sample.labels)
        for family in REGISTRY.collect()
        for sample in family.samples
    }
    provider.shutdown()
    for metric, part in every_series():
        assert {label(name) for name in metric.labels} <= emitted[series(metric, part)]


@pytest.mark.parametrize(
    ("metric", "part", "names"),
    [
        (
            metrics.OPERATION_DURATION,
            "bucket",
            (
                "gen_ai_client_operation_duration_seconds_bucket",
                "gen_ai_client_operation_duration_bucket",
                "gen_ai.client.operation.duration_bucket",
                "gen_ai.client.operation.duration_seconds_bucket",
            ),
        ),
        (
            metrics.WASTE,
            "",
            (
                "farthing_waste_cost_USD_total",
                "farthing_waste_cost",
                "farthing.waste.cost",
                "farthing.waste.cost_USD_total",
            ),
        ),
        (
            metrics.UNPRICED,
            "",
            (
                "farthing_calls_unpriced_total",
                "farthing_calls_unpriced",
                "farthing.calls.unpriced",
                "farthing.calls.unpriced_total",
            ),
        ),
        (
            metrics.PRICES_AGE,
            "",
            (
                "farthing_prices_age_seconds",
                "farthing_prices_age",
                "farthing.prices.age",
                "farthing.prices.age_seconds",
            ),
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_names_of_each_strategy(metric: Metric, part: Any, names: tuple[str, ...]) -> None:
    """By the table in Prometheus' documentation of ``translation_strategy``."""
    assert tuple(named(metric, part, naming) for naming in NAMINGS) == names


def test_the_page_says_the_names_of_each_strategy() -> None:
    page = (ROOT / "docs" / "grafana.md").read_text("utf-8")
    for naming in NAMINGS:
        (row,) = re.findall(rf"^\| `{naming}` \|.*$", page, re.MULTILINE)
        assert f"`{named(metrics.OPERATION_DURATION, 'count', naming)}`" in row
        assert f"`{relabelled(label(semconv.STEP_NAME), naming)}`" in row


def test_renaming_quotes_names_with_dots_and_leaves_strings_alone() -> None:
    expression = (
        "sum by (farthing_step_name, job) (farthing_outliers_total) / farthing_retries_total{} + "
        'farthing_workflows_total{gen_ai_workflow_name="farthing_outliers_total"}'
    )
    assert renamed(expression, "utf8") == (
        'sum by ("farthing.step.name", job) ({"farthing.outliers"}) / {"farthing.retries"} + '
        '{"farthing.workflows", "gen_ai.workflow.name"="farthing_outliers_total"}'
    )
    assert renamed(expression, "suffixed") == expression


@pytest.mark.parametrize(("metric", "part"), [(metrics.COST, ""), (metrics.WASTE, "sum")])
def test_a_series_that_there_is_not_has_no_name(metric: Metric, part: Any) -> None:
    with pytest.raises(ValueError, match=metric.name):
        series(metric, part)


# What dashboards say.


@cache
def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in board["panels"] if panel["type"] != "row")


def expressions(naming: Naming) -> Iterator[tuple[str, str]]:
    """The title of each panel and an expression of it, as exported in this naming."""
    for name, text in export.files(naming).items():
        if name.endswith(".json"):
            board = json.loads(text)
            for panel in panels_of(board):
                for target in panel.get("targets", ()):
                    yield panel["title"], target["expr"]
            for variable in board["templating"]["list"]:
                if isinstance(variable["query"], dict):
                    query = variable["query"]["query"]
                    yield variable["name"], query.removeprefix("query_result(").removesuffix(")")


# What expressions ask for.


def every_series() -> Iterator[tuple[Metric, Any]]:
    return ((metric, part) for metric in CATALOGUE for part in PARTS[metric.kind])


def named(metric: Metric, part: Any, naming: Naming) -> str:
    return re.sub(r'[{}"]', "", renamed(series(metric, part), naming))


@cache
def parsed(expression: str) -> promql.Expr:
    expression = expression.replace("$__range_s", "21600")
    for window, span in WINDOWS.items():
        expression = re.sub(
            rf"(?<=\[){re.escape(window)}(?=\])|{re.escape(window)}\b", span, expression
        )
    return promql.parse(expression)


def name_of(selector: promql.VectorSelector) -> str:
    named = [m.value for m in selector.matchers.matchers if m.name == "__name__"]
    return selector.name or named[0]


def children(node: Any) -> list[Any]:
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.MatrixSelector():
            return [node.vector_selector]
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr():
            return [node.expr]
        case _:
            return []


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in children(node):
        yield from nodes(child)


def selected(node: Any, by: frozenset[str] = frozenset()) -> Iterator[tuple[frozenset[str], Any]]:
    """Every selector, with the labels that what is around it groups it by."""
    if isinstance(node, promql.VectorSelector):
        yield by, node
    for child in children(node):
        labels = getattr(node, "modifier", None) if isinstance(node, promql.AggregateExpr) else None
        yield from selected(child, by | set(labels.labels if labels else ()))


def grouped_by(node: Any) -> set[str]:
    """The labels that an expression can have, but for ``le``."""
    return {name for by, _ in selected(node) for name in by} - {"le"}
