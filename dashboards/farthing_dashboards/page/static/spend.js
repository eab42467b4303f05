// The first sections: spend now and its trend, the Pareto of steps, and the table of steps.

import { h } from "./dom.js";
import { bar, count, exactly, filter, moment, money, share, spend, tokens } from "./cells.js";
import { concentration, pareto } from "./marks.js";
import { table } from "./table.js";
import * as format from "./format.js";

export function now(view, _, { trend }) {
  const { total, range } = view;
  return [
    h(
      "div",
      { class: "headline" },
      h("p", { class: "sum" }, spend(total)),
      h("p", { class: "against" }, against(view)),
    ),
    h(
      "dl",
      { class: "facts" },
      fact("last hour", sofar(view.now.last_hour)),
      fact("last 24 hours", sofar(view.now.last_day)),
      fact("per hour", sofar(view.now.per_hour)),
      fact("calls", count(total.calls)),
      fact("an average call", money(total.average_cost)),
      fact(
        "failed",
        exactly(format.share(total.error_rate), total.errors, ` of ${total.calls} calls`),
      ),
      fact("bought nothing", exactly(format.share(view.waste.share), view.waste.cost, " USD")),
    ),
    h(
      "p",
      { class: "span" },
      moment(range.start, undefined, range.slot_s),
      " \u2013 ",
      moment(Math.min(range.end, range.now), undefined, range.slot_s),
    ),
    trend,
  ];
}

// Where no call has a price there is no spend to speak of; the trust row says how many have none.
const sofar = (amount) => (amount === null ? exactly(format.NOTHING, null) : money(amount));

export function fact(what, amount, says = null) {
  return h(
    "div",
    { "data-key": what },
    h("dt", null, what),
    h("dd", null, amount),
    says && h("dd", { class: "says" }, says),
  );
}

function against({ before, total, range }) {
  const length =
    range.since && range.since !== "all"
      ? format.since(range.since)
      : format.whole((range.end - range.start) / 1000);
  if (!before || before.cost === null)
    return `in ${length}; there is nothing older to compare it with`;
  const [then, cost] = [Number(before.cost), Number(total.cost ?? 0)];
  const earlier = ["than in the ", length, " before (", money(before.cost), ")"];
  if (then === 0) return [`in ${length}; nothing in the ${length} before`];
  const by = cost / then - 1;
  if (Math.abs(by) < 0.0005) return ["in ", length, ", as much as in the time before"];
  const change = by > 9 ? `${format.times(cost / then)} as much as` : null;
  return h(
    "span",
    null,
    `in ${length}, `,
    h(
      "b",
      { class: by > 0 ? "up" : "down" },
      change ?? `${format.share(Math.abs(by))} ${by > 0 ? "more" : "less"}`,
    ),
    " ",
    change ? ["in the ", length, " before (", money(before.cost), ")"] : earlier,
  );
}

export function paretoOfSteps(view) {
  const says = concentration(view.steps);
  return [says && h("p", { class: "finding" }, says), pareto(view.steps)];
}

const STEP = [
  { head: "step", name: true, cell: (row) => filter("step", row.name) },
  { head: "calls", number: true, cell: (row) => count(row.calls) },
  {
    head: "avg in",
    about: "Average input tokens of a call, cached ones too",
    number: true,
    cell: (row) => tokens(row.average_input),
  },
  {
    head: "avg out",
    about: "Average output tokens of a call",
    number: true,
    cell: (row) => tokens(row.average_output),
  },
  {
    head: "avg cost",
    about: "Average cost of the calls that have a price",
    number: true,
    cell: (row) => money(row.average_cost),
  },
  {
    head: "of calls",
    about: "Share of all calls",
    number: true,
    cell: (row) => share(row.share_calls),
  },
  {
    head: "of spend",
    about: "Share of all spend",
    number: true,
    cell: (row) => share(row.share_cost),
  },
  {
    head: "weight",
    about: "Share of spend over share of calls",
    number: true,
    ragged: true,
    cell: weight,
  },
  { head: "spend", number: true, cell: spend },
  {
    head: "outliers",
    about: "Calls that cost far more than their step usually does",
    number: true,
    cell: outliers,
  },
];

// A step that costs no more than its share of the calls is no news.
function weight(row) {
  if (row.ratio === null || row.name === "total") return exactly("", null);
  const heavy = row.ratio >= 2;
  return h(
    "span",
    { class: heavy ? "heavy" : "light" },
    exactly(`${row.ratio < 0.05 ? "<0.1x" : format.times(row.ratio)} its volume`, row.ratio),
  );
}

function outliers(row) {
  if (!row.outliers) return exactly(format.NOTHING, null);
  return h(
    "data",
    {
      class: "outliers",
      value: row.outliers,
      title: `They cost ${format.exactMoney(row.cost_outliers)}`,
    },
    format.count(row.outliers),
  );
}

export function steps(view) {
  return table({
    id: "steps-table",
    caption: "Steps by spend",
    columns: STEP,
    rows: view.steps,
    total: { ...view.total, name: "total" },
    few: 25,
  });
}

const SPEED = [
  { head: "step", name: true, cell: (row) => filter("step", row.name) },
  {
    head: "p50",
    about: "Half of the calls were faster",
    number: true,
    ragged: true,
    cell: (row) => exactly(format.duration(row.p50_s), row.p50_s, " s"),
  },
  {
    head: "p95",
    about: "Of twenty calls nineteen were faster",
    number: true,
    ragged: true,
    cell: (row) => exactly(format.duration(row.p95_s), row.p95_s, " s"),
  },
  {
    head: "first token p50",
    about: "Time to the first chunk of a stream",
    number: true,
    ragged: true,
    cell: (row) => exactly(format.duration(row.first_chunk_p50_s), row.first_chunk_p50_s, " s"),
  },
  {
    head: "first token p95",
    about: "Time to the first chunk of a stream",
    number: true,
    ragged: true,
    cell: (row) => exactly(format.duration(row.first_chunk_p95_s), row.first_chunk_p95_s, " s"),
  },
  {
    head: "rate",
    about: "Calls a minute over the whole time",
    number: true,
    cell: (row) => exactly(format.perMinute(row.per_minute), row.per_minute, " a minute"),
  },
  {
    head: "failed",
    about: "Calls that ended in an error",
    number: true,
    cell: (row) => exactly(format.share(row.error_rate), row.errors, ` of ${row.calls} calls`),
  },
  {
    head: "retries",
    about: "By the clients themselves",
    number: true,
    cell: (row) => (row.retries ? count(row.retries) : exactly(format.NOTHING, null)),
  },
  { head: "spend", number: true, cell: spend },
  { head: "", cell: (row) => bar(row.share_cost) },
];

export function speed(view) {
  return table({
    id: "speed-table",
    caption: "Latency, rate and errors of steps, by spend",
    columns: SPEED,
    rows: view.steps,
  });
}
