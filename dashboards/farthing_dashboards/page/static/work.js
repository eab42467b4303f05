// What the money bought: workflows, waste, models, the cache, and whose spend it is.

import { h } from "./dom.js";
import { bar, count, exactly, filter, money, name, share, spend, tokens } from "./cells.js";
import { fact } from "./spend.js";
import { sparkline } from "./marks.js";
import { table } from "./table.js";
import * as format from "./format.js";

const WORKFLOW = [
  { head: "workflow", name: true, cell: (row) => filter("workflow", row.name, "in no workflow") },
  { head: "runs", number: true, cell: (row) => count(row.runs) },
  { head: "succeeded", number: true, cell: succeeded },
  { head: "spend", number: true, cell: spend },
  { head: "of spend", number: true, cell: (row) => share(row.share_cost) },
  {
    head: "cost per success",
    about: "All spend of the workflow, failed runs too, over the runs that succeeded",
    number: true,
    cell: (row) =>
      h(
        "b",
        null,
        row.cost_per_success === null ? exactly(format.NOTHING, null) : money(row.cost_per_success),
      ),
  },
  { head: "trend", cell: (row) => sparkline(row.trend.cost_per_success, trendSays(row)) },
];

function succeeded(row) {
  if (!row.runs) return exactly(format.NOTHING, null);
  const outcomes = Object.entries(row.outcomes)
    .map(([outcome, runs]) => `${runs} ${outcome}`)
    .join(", ");
  return h("data", { value: row.successes, title: outcomes }, format.count(row.successes));
}

function trendSays(row) {
  const known = row.trend.cost_per_success.filter((cost) => cost !== null);
  return known.length
    ? `Cost per success, from ${format.money(known[0])} to ${format.money(known.at(-1))}`
    : "No run succeeded";
}

export function workflows(view) {
  if (!view.workflows.length) {
    return h(
      "p",
      { class: "none" },
      "No workflow ended in this time. Name one with ",
      h("code", null, "farthing.workflow"),
      " to see what a completed one costs.",
    );
  }
  return table({
    id: "workflows-table",
    caption: "Cost per completed workflow",
    columns: WORKFLOW,
    rows: view.workflows,
  });
}

const WASTE = [
  { head: "reason", name: true, cell: (row) => h("span", { class: "label" }, row.reason) },
  { head: "spend", number: true, cell: (row) => money(row.cost) },
  { head: "of spend", number: true, cell: (row) => share(row.share) },
  { head: "", cell: (row) => (row.of === undefined ? null : bar(row.of, "bad")) },
  { head: "what it is", cell: (row) => row.says },
];
const FLAG = [
  { head: "flag", name: true, cell: (row) => h("span", { class: "label" }, row.reason) },
  { head: "calls", number: true, cell: (row) => count(row.calls) },
  { head: "what they did", cell: (row) => row.says },
];

export function waste(view) {
  const { waste, flags } = view;
  const reasons = waste.reasons.map((row) => ({
    ...row,
    of: Number(row.cost) / Number(waste.cost),
  }));
  const total = { reason: "total", cost: waste.cost, share: waste.share, says: "" };
  return [
    reasons.length
      ? table({
          id: "waste-table",
          caption: "Waste by reason",
          columns: WASTE,
          rows: reasons,
          total,
          key: (row) => row.reason,
        })
      : h("p", { class: "none" }, "Nothing was wasted that farthing knows of."),
    flags.length > 0 && h("h3", null, "Flagged calls"),
    flags.length > 0 &&
      table({
        id: "flags-table",
        caption: "Flagged calls by reason",
        columns: FLAG,
        rows: flags,
        key: (row) => row.reason,
      }),
  ];
}

const MODEL = [
  { head: "model", name: true, cell: (row) => filter("model", row.name) },
  { head: "calls", number: true, cell: (row) => count(row.calls) },
  { head: "of calls", number: true, cell: (row) => share(row.share_calls) },
  { head: "of spend", number: true, cell: (row) => share(row.share_cost) },
  {
    head: "",
    cell: (row) => h("span", { class: "pair" }, bar(row.share_calls, "pale"), bar(row.share_cost)),
  },
  { head: "avg cost", number: true, cell: (row) => money(row.average_cost) },
  {
    head: "input",
    about: "Input tokens in all",
    number: true,
    ragged: true,
    cell: (row) => tokens(row.input_tokens),
  },
  {
    head: "output",
    about: "Output tokens in all",
    number: true,
    ragged: true,
    cell: (row) => tokens(row.output_tokens),
  },
  { head: "spend", number: true, cell: spend },
];

export function models(view) {
  return [
    h(
      "p",
      { class: "keys" },
      h("span", { class: "key-pale" }, "share of calls"),
      h("span", { class: "key-bar" }, "share of spend"),
    ),
    table({ id: "models-table", caption: "Models by spend", columns: MODEL, rows: view.models }),
  ];
}

export function caching({ caching, total }) {
  const costMore = Number(caching.saved) < 0;
  const saved = costMore ? caching.saved.slice(1) : caching.saved;
  return h(
    "dl",
    { class: "facts" },
    fact(
      costMore ? "the cache cost more than it saved" : "saved by the cache",
      money(saved),
      caching.without !== null && h("span", null, "without it: ", money(caching.without)),
    ),
    fact(
      "could still be saved",
      money(caching.avoidable),
      "prompts that began as the last one did, and were paid in full",
    ),
    fact(
      "of input read from the cache",
      share(caching.input_tokens ? caching.read_tokens / caching.input_tokens : null),
      h("span", null, tokens(caching.read_tokens), " of ", tokens(caching.input_tokens), " tokens"),
    ),
    fact("written to the cache", tokens(caching.write_tokens), "tokens"),
  );
}

const WHO = {
  agents: { title: "Agent", dimension: null },
  features: { title: "Feature", dimension: null },
  users: { title: "User", dimension: "user" },
  sessions: { title: "Session", dimension: null },
};

export function who(view, people) {
  return h(
    "div",
    { class: "columns" },
    Object.entries(WHO).map(([key, { title, dimension }]) => {
      const rows = view[key] ?? people?.[key];
      return h(
        "div",
        { "data-key": key },
        h("h3", null, `By ${title.toLowerCase()}`),
        rows
          ? owners(key, title, dimension, rows, people?.others?.[key])
          : h("p", { class: "none" }, "Counting\u2026"),
      );
    }),
  );
}

function owners(key, title, dimension, rows, others) {
  if (!rows.some((row) => row.name))
    return h("p", { class: "none" }, `No call says its ${title.toLowerCase()}.`);
  const columns = [
    {
      head: title.toLowerCase(),
      name: true,
      cell: (row) =>
        row.names
          ? `the ${format.count(row.names)} cheapest`
          : dimension
            ? filter(dimension, row.name)
            : name(row.name),
    },
    { head: "calls", number: true, cell: (row) => count(row.calls) },
    { head: "spend", number: true, cell: spend },
    { head: "", cell: (row) => bar(row.share_cost) },
  ];
  return table({
    id: `${key}-table`,
    caption: `Spend by ${title.toLowerCase()}`,
    columns,
    rows,
    total: others,
    few: 6,
  });
}
