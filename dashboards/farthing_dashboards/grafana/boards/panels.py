"""A small vocabulary of panels: stat, series, bars, pareto, table and text.

Each says in its description which question it answers and how it is computed. The
queries of one number, of bars and of tables are asked once, for the whole time range; those of
lines at each point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import barchart, bargauge, common, prometheus, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import text as texts
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from farthing_dashboards.grafana.boards.traceql import explore
from farthing_dashboards.grafana.names import label

USD: Final = "currencyUSD"
COUNT: Final = "locale"
SHARE: Final = "percentunit"
SECONDS: Final = "s"
A_SECOND: Final = "reqps"
TIMES: Final = "suffix:x its volume"

METRICS: Final = model.DataSourceRef("prometheus", "${datasource}")
NO_CALLS: Final = "No calls were recorded in this time range."
NONE: Final = "(none)"
"""What is shown for what a call has not: a step, because it was made outside of all."""
SHORTEST_STEP: Final = "1m"
"""Of a query: metrics are exported once a minute if nothing else was said, and Grafana makes its
rate interval four of these."""


class Column(NamedTuple):
    """A column of a table: one query, by the labels of its rows."""

    title: str
    expression: str
    unit: str
    bar: bool = False
    """Whether a bar is drawn beside the number."""


class Rows(NamedTuple):
    """What a table has a row for."""

    title: str
    attribute: str
    search: str = ""
    """TraceQL for the traces behind a row, to which its cell is a link."""
    meanings: Mapping[str, str] = {}
    """What the values that need it mean."""


def stat(
    title: str,
    says: str,
    expression: str,
    unit: str,
    *,
    width: int = 4,
    alarm: tuple[float, float] | None = None,
    named: str = "",
    empty: str = NO_CALLS,
) -> Panel:
    """One number, orange and red from the two of ``alarm`` on; ``named`` shows a label with it."""
    built = (
        stats.Panel()
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(_last())
        .color_mode(BigValueColorMode.VALUE if alarm else BigValueColorMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME if named else BigValueTextMode.VALUE)
        .thresholds(_thresholds(alarm))
        .with_target(_once(expression, legend=_legend(named) if named else title))
    )
    return _panel(built.build(), title, says, unit, width, 4, empty)


def series(
    title: str,
    says: str,
    expression: str,
    attribute: str,
    unit: str,
    *,
    width: int = 12,
    stacked: bool = False,
    exemplars: bool = False,
    least: float | None = 0,
    empty: str = NO_CALLS,
) -> Panel:
    """A line over time for each value of ``attribute``; ``least`` is where the axis begins."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .show_legend(True)
        .calcs(["max", "lastNotNull"])
    )
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    query = prometheus.Dataquery().ref_id("A").expr(expression).range().datasource(METRICS)
    query.interval(SHORTEST_STEP).exemplar(exemplars).legend_format(_legend(attribute))
    built = timeseries.Panel().legend(legend).tooltip(tooltip).with_target(query)
    if least is not None:
        built.min(least)
    if stacked:
        built.fill_opacity(30).stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    return _panel(built.build(), title, says, unit, width, 9, empty)


def bars(
    title: str,
    says: str,
    expression: str,
    attribute: str,
    unit: str,
    *,
    width: int = 8,
    empty: str = NO_CALLS,
) -> Panel:
    """A bar for each value of ``attribute``, the longest first."""
    built = (
        bargauge.Panel()
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .reduce_options(_last())
        .thresholds(_thresholds(None, "blue"))
        .min(0)
        .with_target(_once(f"sort_desc({expression})", legend=_legend(attribute)))
    )
    return _panel(built.build(), title, says, unit, width, 9, empty)


def pareto(title: str, says: str, expression: str, rows: Rows, *, width: int = 12) -> Panel:
    """Shares, the largest first, each beside what it makes together with those before it."""
    each, together = "share", "with those before"
    built = (
        barchart.Panel()
        .x_field(rows.title)
        .orientation(VizOrientation.AUTO)
        .min(0)
        .max(1)
        .legend(common.VizLegendOptions().placement(LegendPlacement.BOTTOM).show_legend(True))
        .with_target(_once(expression, as_table=True))
        .with_transformation(_organized((rows,), (each,)))
        .with_transformation(_sorted(each))
        .with_transformation(_transformed("limit", limitField=15))
        .with_transformation(
            _transformed(
                "calculateField",
                mode="cumulativeFunctions",
                alias=together,
                cumulative={"field": each, "reducer": "sum"},
                replaceFields=False,
            )
        )
        .override_by_name(rows.title, [_readable(rows.meanings)])
    )
    return _panel(built.build(), title, says, SHARE, width, 9, NO_CALLS)


def table(
    title: str,
    says: str,
    rows: Sequence[Rows],
    columns: Sequence[Column],
    *,
    by: str,
    width: int = 24,
    height: int = 9,
    empty: str = NO_CALLS,
) -> Panel:
    """A row for each combination of labels, sorted by the column ``by``, the largest first."""
    built = tables.Panel().filterable(True).thresholds(_thresholds(None, "blue"))
    for ref, column in zip(ascii_uppercase, columns, strict=False):
        built.with_target(_once(column.expression, ref=ref, as_table=True))
        # A cell without a value would repeat what the panel says when it is empty.
        properties = [
            model.DynamicConfigValue("unit", column.unit),
            model.DynamicConfigValue("noValue", "-"),
        ]
        if column.bar:
            gauge = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
            properties.append(model.DynamicConfigValue("custom.cellOptions", gauge))
            properties.append(model.DynamicConfigValue("min", 0))
            properties.append(model.DynamicConfigValue("max", 1))
        built.override_by_name(column.title, properties)
    for row in rows:
        properties = [_readable(row.meanings)]
        if row.search:
            link = {"title": "Traces", "url": explore(row.search), "targetBlank": True}
            properties.append(model.DynamicConfigValue("links", [link]))
        built.override_by_name(row.title, properties)
    built.with_transformation(_transformed("merge"))
    built.with_transformation(_organized(rows, [column.title for column in columns]))
    built.with_transformation(_sorted(by))
    return _panel(built.build(), title, says, "none", width, height, empty)


def text(title: str, says: str, markdown: str, *, width: int = 12, height: int = 9) -> Panel:
    """What no metric says."""
    built = texts.Panel().mode(TextMode.MARKDOWN).content(markdown)
    return _panel(built.build(), title, says, "none", width, height, "")


def _panel(
    panel: Panel, title: str, says: str, unit: str, width: int, height: int, empty: str
) -> Panel:
    panel.title, panel.description, panel.datasource = title, says, METRICS
    panel.grid_pos = model.GridPos(h=height, w=width)
    panel.field_config = panel.field_config or model.FieldConfigSource()
    panel.field_config.defaults.unit = unit
    panel.field_config.defaults.no_value = empty
    return panel


def _once(
    expression: str, *, ref: str = "A", legend: str = "", as_table: bool = False
) -> prometheus.Dataquery:
    query = prometheus.Dataquery().ref_id(ref).expr(expression).instant().datasource(METRICS)
    if as_table:
        return query.format(PromQueryFormat.TABLE)
    return query.legend_format(legend)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _legend(attribute: str) -> str:
    return f"{{{{{label(attribute)}}}}}"


def _organized(rows: Sequence[Rows], columns: Sequence[str]) -> model.DataTransformerConfig:
    """Labels first, then the columns, by their titles."""
    titles = {label(row.attribute): row.title for row in rows}
    # A query that finds nothing leaves no column; of a single one the name has no letter.
    titles |= {f"Value #{ref}": title for ref, title in zip(ascii_uppercase, columns, strict=False)}
    order = {name: index for index, name in enumerate(titles)}
    return _transformed(
        "organize",
        excludeByName={"Time": True},
        indexByName=order,
        renameByName={**titles, "Value": columns[0]},
    )


def _sorted(column: str) -> model.DataTransformerConfig:
    return _transformed("sortBy", fields={}, sort=[{"field": column, "desc": True}])


def _transformed(name: str, **options: object) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(name, options=options)


def _readable(meanings: Mapping[str, str]) -> model.DynamicConfigValue:
    """Texts for values: for those that there are not, and for those with a meaning."""
    mappings: list[model.ValueMapping] = []
    if meanings:
        texts = {
            value: model.ValueMappingResult(text=f"{value}: {meaning}")
            for value, meaning in meanings.items()
        }
        mappings.append(model.ValueMap(texts))
    for match in (model.SpecialValueMatch.EMPTY, model.SpecialValueMatch.NULL):
        none = model.DashboardSpecialValueMapOptions(match, model.ValueMappingResult(text=NONE))
        mappings.append(model.SpecialValueMap(none))
    return model.DynamicConfigValue("mappings", mappings)


def _thresholds(
    alarm: tuple[float, float] | None, calm: str = "text"
) -> dashboard_builders.ThresholdsConfig:
    steps = [model.Threshold(None, calm)]
    if alarm is not None:
        steps += [model.Threshold(alarm[0], "orange"), model.Threshold(alarm[1], "red")]
    return dashboard_builders.ThresholdsConfig().steps(steps)
