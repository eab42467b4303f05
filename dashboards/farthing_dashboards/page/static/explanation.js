// Why a span cost what it did and why it was flagged, in sentences and as a bill; then what else
// it says of itself.

import { h } from "./dom.js";
import { count, exactly, money, name, seconds } from "./cells.js";
import { STATUS } from "./calls.js";
import { table } from "./table.js";
import * as format from "./format.js";

const LINE = [
  { head: "billed", name: true, cell: (line) => line.class.replaceAll("_", " ") },
  {
    head: "count",
    number: true,
    cell: (line) => (line.tokens === null ? exactly(format.NOTHING, null) : count(line.tokens)),
  },
  {
    head: "per million",
    number: true,
    cell: (line) =>
      line.per_million === null ? exactly(format.NOTHING, null) : money(line.per_million),
  },
  { head: "cost", number: true, cell: (line) => money(line.cost) },
];

export function explanation(span) {
  return [
    h("h3", null, name(span.label)),
    h(
      "p",
      { class: "says" },
      [span.kind === "other" ? null : span.kind, span.model, span.provider, span.service]
        .filter(Boolean)
        .flatMap((part, index) => [index ? " \u00b7 " : "", name(part)]),
      " \u00b7 ",
      seconds(span.duration_s),
    ),
    span.error && h("p", { class: "alert" }, "Failed: ", name(span.error)),
    span.duplicate_of &&
      h(
        "p",
        { class: "says" },
        "The same call as ",
        h("code", null, span.duplicate_of),
        ", which pays for it.",
      ),
    sentences("Why it was flagged", span.flags, "alert"),
    span.price && price(span),
    !span.price &&
      span.status &&
      h("p", null, h("b", null, span.status), `: ${STATUS[span.status] ?? ""}`),
    details("Attributes", pairs(span.attributes)),
    span.events.map((event) =>
      details(
        `Event ${event.name}, at ${format.duration(event.offset_s)}`,
        pairs(event.attributes),
      ),
    ),
    span.logs.map(logged),
  ];
}

// One log record, of a span or of the trace alone.
export function logged(log) {
  return details(`Log ${log.name || log.severity}`, [
    log.body ? h("pre", null, written(log.body)) : null,
    pairs(log.attributes),
  ]);
}

function price({ price, cost }) {
  const total = { class: "total", tokens: null, per_million: null, cost: price.total ?? cost };
  return [
    h("h4", null, "What it cost"),
    price.lines.length > 0 &&
      table({
        id: "bill",
        caption: "The bill of this call",
        columns: LINE,
        rows: price.lines,
        total,
        key: (line) => line.class,
      }),
    price.says.map((sentence) => h("p", { class: "says" }, sentence)),
  ];
}

function sentences(title, said, tone) {
  return (
    said.length > 0 && [
      h("h4", null, title),
      said.map((sentence) => h("p", { class: tone }, sentence)),
    ]
  );
}

function details(title, content) {
  return h("details", { "data-key": title }, h("summary", null, name(title)), content);
}

function pairs(attributes) {
  return h(
    "dl",
    { class: "pairs" },
    Object.entries(attributes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) =>
        h(
          "div",
          { "data-key": key },
          h("dt", null, name(key)),
          h("dd", { dir: "auto" }, written(value)),
        ),
      ),
  );
}

const written = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));
