// The dearest calls, each a door to its trace, and how far the numbers can be trusted.

import { h } from "./dom.js";
import { count, exactly, filter, moment, money, name, share, tokens } from "./cells.js";
import { fact } from "./spend.js";
import { traceHref } from "./address.js";
import { table } from "./table.js";
import * as format from "./format.js";

export const STATUS = {
  priced: "everything billed has a known rate",
  free: "the price is known to be 0",
  reported: "the provider itself said the amount",
  partial: "something billed has no known rate: a lower bound",
  inconsistent: "the provider's counts contradict each other",
  unpriced: "no price is known: unknown is not $0",
  estimated: "the final counts never came: an estimate",
  usage_missing: "the counts never came",
};

const columns = (view) => [
  {
    head: "cost",
    number: true,
    name: true,
    cell: (row) =>
      h("a", { href: traceHref(row.trace_id, row.span_id), class: "open" }, money(row.cost)),
  },
  {
    head: "usual",
    about: "The step's average in this time",
    number: true,
    cell: (row) => (row.usual === null ? exactly(format.NOTHING, null) : money(row.usual)),
  },
  {
    head: "of usual",
    number: true,
    cell: (row) => exactly(format.times(row.ratio), row.ratio, " times the usual"),
  },
  { head: "step", cell: (row) => filter("step", row.step) },
  { head: "model", cell: (row) => name(row.model, "unknown") },
  { head: "in", number: true, cell: (row) => tokens(row.input_tokens) },
  { head: "out", number: true, cell: (row) => tokens(row.output_tokens) },
  { head: "", cell: marks },
  ...(view.dearest.some((row) => row.user)
    ? [{ head: "user", cell: (row) => filter("user", row.user, format.NOTHING) }]
    : []),
  { head: "when", cell: (row) => moment(row.at, view.range.now) },
];

// In words, not in colour alone.
function marks(row) {
  return h(
    "span",
    { class: "marks" },
    row.flagged && h("span", { class: "mark warn", title: "Its span says why" }, "flagged"),
    row.waste &&
      h(
        "span",
        { class: "mark bad", title: `Bought nothing: ${row.waste}` },
        row.waste.replaceAll("_", " "),
      ),
    row.status !== "priced" &&
      row.status &&
      h("span", { class: "mark", title: STATUS[row.status] ?? null }, row.status),
  );
}

export function dearest(view) {
  if (!view.dearest.length) return h("p", { class: "none" }, "No call in this time has a price.");
  return table({
    id: "dearest-table",
    caption: "Dearest calls",
    columns: columns(view),
    rows: view.dearest,
    key: (row) => `${row.trace_id}/${row.span_id}`,
    few: 20,
  });
}

export function trust({ trust, total }) {
  const of = (calls) =>
    h(
      "span",
      { class: calls ? "some" : "" },
      exactly(
        format.share(trust.calls ? calls / trust.calls : null),
        calls,
        ` of ${trust.calls} calls`,
      ),
    );
  const calls = (number) => `${format.plural(number, "call")} of ${format.count(trust.calls)}`;
  return [
    h(
      "dl",
      { class: "facts" },
      fact(
        "without a price",
        of(trust.unpriced),
        trust.unpriced
          ? "Unknown is not $0: give their rates in FARTHING_PRICES, or name their host in FARTHING_GATEWAYS."
          : calls(0),
      ),
      fact(
        "estimated",
        of(trust.estimated),
        h(
          "span",
          null,
          money(trust.cost_estimated),
          ` for ${format.plural(trust.estimated, "call")} whose usage never came`,
        ),
      ),
      fact(
        "inconsistent",
        of(trust.inconsistent),
        `${calls(trust.inconsistent)}: the provider's counts contradict each other`,
      ),
      fact(
        "priced in part",
        of(trust.partial),
        `${calls(trust.partial)}: something billed has no known rate`,
      ),
    ),
    trust.tables.length > 0 &&
      table({ id: "prices-table", caption: "Price tables", columns: PRICES, rows: trust.tables }),
  ];
}

const PRICES = [
  { head: "price table", name: true, cell: (row) => name(row.name) },
  { head: "calls", number: true, cell: (row) => count(row.calls) },
  {
    head: "age",
    about: "Since the table was released",
    cell: (row) =>
      row.age_s === null
        ? exactly("not said", null)
        : exactly(`${format.duration(row.age_s)} old`, row.age_s, " s"),
  },
];
