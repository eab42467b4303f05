// Spend over time, stacked by the dearest steps. The legend reads out the slot under the pointer,
// or that of the arrow keys; the figure lives on while its numbers change.

import { h, fill } from "./dom.js";
import { filter, money, name } from "./cells.js";
import { table } from "./table.js";
import * as format from "./format.js";

const HEIGHT = 220;

export function trendFigure() {
  const plot = h("div", { class: "plot", tabindex: "0", role: "img" });
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  const legend = h("ul", { class: "legend" });
  const numbers = h("details", { class: "numbers" });
  const figure = h(
    "figure",
    { class: "trend" },
    h("figcaption", null, readout, legend),
    plot,
    numbers,
  );
  let chart = null;
  let drawn = "";
  let view = null;
  let slot = null;

  function update(next) {
    view = next;
    const { trend } = view;
    slot = slot !== null && slot < trend.at.length ? slot : null;
    plot.setAttribute("aria-label", spoken(view));
    fill(numbers, h("summary", null, "The same as a table"), slotsTable(view));
    read();
    const shape = `${trend.steps.length}/${view.range.slot_s}`;
    const stacked = stack(trend);
    if (chart && shape === drawn) chart.setData(stacked);
    else draw(shape, stacked);
  }

  function draw(shape, stacked) {
    if (!plot.clientWidth) return;
    chart?.destroy();
    chart = new uPlot(options(plot, view, stacked.length - 1, pointed), stacked, plot);
    drawn = shape;
  }

  function pointed(index) {
    if (index === slot) return;
    slot = index;
    read();
  }

  function read() {
    const { trend, range, total } = view;
    const when =
      slot === null
        ? [h("b", null, "By step"), " over the whole time"]
        : [
            h("b", null, format.slot(trend.at[slot], range.slot_s)),
            ` ${format.whole(range.slot_s)} from then: `,
            money(trend.cost[slot]),
            `, ${format.plural(trend.calls[slot], "call")}`,
            trend.errors[slot] ? `, ${format.plural(trend.errors[slot], "error")}` : "",
          ];
    fill(readout, when);
    fill(
      legend,
      trend.steps.map((step, index) =>
        h(
          "li",
          { "data-key": step.name },
          h("i", { class: `swatch of-${colour(step, index)}` }),
          isRest(step) ? name("all other steps") : filter("step", step.name),
          " ",
          slot === null ? money(totalOf(step, view)) : money(step.cost[slot]),
        ),
      ),
    );
  }

  plot.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !chart) return;
    event.preventDefault();
    const last = view.trend.at.length - 1;
    const index = Math.min(last, Math.max(0, (slot ?? (by > 0 ? -1 : last + 1)) + by));
    chart.setCursor({ left: chart.valToPos(view.trend.at[index] / 1000, "x"), top: 0 });
    pointed(index);
  });
  plot.addEventListener("blur", () => pointed(null));
  new ResizeObserver(() => {
    if (!view) return;
    if (chart) chart.setSize({ width: plot.clientWidth, height: HEIGHT });
    else draw("", stack(view.trend));
  }).observe(plot);
  const redraw = () => view && draw("", stack(view.trend));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("theme", redraw);
  return { figure, update };
}

const isRest = (step) => step.name === "other";
const colour = (step, index) => (isRest(step) ? "rest" : index + 1);

// A step's exact sum is in the table of steps; what is left for "other" is a difference of those.
function totalOf(step, view) {
  const row = view.steps.find((each) => each.name === step.name);
  if (row && !isRest(step)) return row.cost;
  return step.cost.reduce((sum, cost) => sum + Number(cost ?? 0), 0).toFixed(6);
}

// uPlot draws areas from 0: the tallest first, so each is a sum of those beneath it.
function stack(trend) {
  const sums = trend.at.map(() => 0);
  const layers = trend.steps.map((step) =>
    step.cost.map((cost, at) => (sums[at] += Number(cost ?? 0))),
  );
  return [trend.at.map((at) => at / 1000), ...layers.reverse()];
}

function options(plot, view, layers, pointed) {
  const ink = (token) => resolved(plot, token);
  const { trend, range } = view;
  const bars = uPlot.paths.bars({ size: [0.86, 40], align: 1 });
  const axis = {
    stroke: ink("--soft"),
    font: "12px system-ui, sans-serif",
    ticks: { show: false },
  };
  const steps = [...trend.steps].map((step, index) => ink(`--of-${colour(step, index)}`)).reverse();
  return {
    width: plot.clientWidth,
    height: HEIGHT,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [view.range.start / 1000, view.range.end / 1000] },
      y: { range: (_, __, top) => [0, top > 0 ? top * 1.06 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        grid: { show: false },
        values: (_, ticks) => ticks.map((tick) => tickLabel(tick * 1000, range)),
        space: 90,
      },
      {
        ...axis,
        grid: { stroke: ink("--hair"), width: 1 },
        values: (_, ticks) => ticks.map((tick) => (tick ? format.money(String(tick)) : "$0")),
        size: 66,
        space: 44,
      },
    ],
    series: [
      {},
      ...Array.from({ length: layers }, (_, index) => ({
        fill: steps[index],
        stroke: steps[index],
        width: 0,
        paths: bars,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(chart) => pointed(chart.cursor.idx ?? null)] },
  };
}

// Dates where the range is of days, else the clock; with its seconds where it is of minutes.
function tickLabel(at, range) {
  const length = range.end - range.start;
  const [date, clock] = [format.day(at).slice(5), format.moment(at, length / 10e3).slice(11)];
  return length > 3 * 86400e3 || clock === "00:00" ? date : clock;
}

// The canvas needs colours as they came out, not the functions that they are written with.
function resolved(near, token) {
  const probe = h("i", { vars: { color: `var(${token})` } });
  near.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function spoken({ trend, range }) {
  const costs = trend.cost.map(Number);
  const highest = costs.indexOf(Math.max(...costs));
  const peak =
    highest < 0
      ? ""
      : `; highest ${format.money(trend.cost[highest])} at ${format.moment(trend.at[highest])}`;
  return `Spend over time by step, from ${format.moment(range.start)} to ${format.moment(range.end)}${peak}. Arrow keys read out each slot; a table follows.`;
}

function slotsTable({ trend, range }) {
  const rows = trend.at.map((at, index) => ({
    name: String(at),
    at,
    cost: trend.cost[index],
    calls: trend.calls[index],
    errors: trend.errors[index],
    wasted: trend.wasted[index],
  }));
  const columns = [
    { head: "from", name: true, cell: (row) => format.slot(row.at, range.slot_s) },
    { head: "spend", number: true, cell: (row) => money(row.cost) },
    { head: "wasted", number: true, cell: (row) => money(row.wasted) },
    { head: "calls", number: true, cell: (row) => format.count(row.calls) },
    { head: "errors", number: true, cell: (row) => format.count(row.errors) },
  ];
  return table({
    id: "trend-numbers",
    caption: "Spend over time",
    columns,
    rows: rows.filter((row) => row.calls),
    few: 120,
  });
}
