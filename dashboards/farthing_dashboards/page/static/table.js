// One renderer for every table: a table is a list of columns.
//
// A column is {head, cell(row), …}:
//   number  aligned at the decimal point
//   name    the row's header
//   about   what the heading means, on hover
//   ragged  of units that differ, so not aligned

import { h } from "./dom.js";
import { plural } from "./format.js";

const FEW = 12;
const expanded = new Set();

export function table({
  id,
  caption,
  columns,
  rows,
  total = null,
  key = (row) => row.name,
  few = FEW,
}) {
  const shown = expanded.has(id) || rows.length <= few + 2 ? rows : rows.slice(0, few);
  const cells = new Map(
    (total ? [...shown, total] : shown).map((row) => [
      row,
      columns.map((column) => column.cell(row)),
    ]),
  );
  const places = columns.map((column, at) =>
    column.number && !column.ragged
      ? Math.max(0, ...[...cells.values()].map((row) => placesOf(row[at])))
      : 0,
  );
  const line = (row, id) =>
    h(
      "tr",
      { "data-key": id },
      columns.map((column, at) => cell(column, cells.get(row)[at], places[at])),
    );
  return [
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption, "data-key": id },
      h(
        "table",
        { class: columns.length < 8 ? "fit" : null },
        h("caption", { class: "unseen" }, caption),
        h("thead", null, h("tr", null, columns.map(heading))),
        h(
          "tbody",
          null,
          shown.map((row) => line(row, key(row))),
        ),
        total && h("tfoot", null, line(total, "total")),
      ),
    ),
    rows.length > shown.length &&
      h(
        "button",
        { type: "button", class: "more", "data-more": id, "data-key": `${id}-more` },
        `Show all ${plural(rows.length, "row")}`,
      ),
  ];
}

export function expand(id) {
  expanded.add(id);
}

function heading(column) {
  return h(
    "th",
    { scope: "col", class: classes(column), title: column.about ?? null },
    column.head,
  );
}

function cell(column, content, places) {
  const missing = column.number ? places - placesOf(content) : 0;
  return h(
    column.name ? "th" : "td",
    {
      scope: column.name ? "row" : null,
      class: classes(column),
      vars: missing > 0 ? { "--missing": missing } : {},
    },
    content,
  );
}

const classes = (column) =>
  [column.number && "number", column.name && "name"].filter(Boolean).join(" ") || null;

// Digits after the point, by which numbers are aligned.
function placesOf(content) {
  const text = content instanceof Node ? content.textContent : String(content ?? "");
  return /\.(\d+)/.exec(text)?.[1].length ?? 0;
}
