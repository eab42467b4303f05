// What tables and sentences are made of: amounts with their exact value, names that filter.

import { h } from "./dom.js";
import { href, query } from "./address.js";
import { isReport } from "./source.js";
import * as format from "./format.js";

// Any number: rounded to be read, exact on hover and when copied.
export function exactly(text, exact, unit = "") {
  if (exact === null || exact === undefined) return h("span", { class: "nothing" }, text);
  return h("data", { value: exact, title: `${exact}${unit}` }, text);
}

export function money(exact) {
  if (exact === null || exact === undefined)
    return h("span", { class: "nothing", title: "No price is known" }, "unknown");
  return h("data", { value: exact, title: format.exactMoney(exact) }, format.money(exact));
}

// What a row has cost: at least this much where calls without a price are among it.
export function spend(row) {
  if (!row.unpriced) return row.cost === null ? exactly(format.NOTHING, null) : money(row.cost);
  if (row.cost === null) return money(null);
  const title = `${format.plural(row.unpriced, "call")} of ${format.count(row.calls)} without a price: at least ${format.exactMoney(row.cost)}`;
  return h(
    "data",
    { value: row.cost, title },
    h("span", { class: "least" }, "\u2265 "),
    format.money(row.cost),
  );
}

export const count = (number) => exactly(format.count(number), number);
export const tokens = (number) =>
  exactly(format.tokens(number === null ? null : Math.round(number)), number, " tokens");
export const share = (part) => exactly(format.share(part), part);
export const seconds = (length) => exactly(format.duration(length), length, " s");
export const perMinute = (rate) => exactly(format.perMinute(rate), rate, " a minute");

export function moment(at, now, lengthSeconds) {
  return h(
    "time",
    { datetime: new Date(at).toISOString(), title: format.exactMoment(at) },
    now === undefined ? format.moment(at, lengthSeconds) : format.ago(at, now),
  );
}

// A name from the telemetry: any text at all, of any length and direction.
export function name(text, whenNone = "not given") {
  return text
    ? h("bdi", { class: "label", title: text }, text)
    : h("span", { class: "nothing" }, whenNone);
}

// A name that filters the page by itself.
export function filter(dimension, text, whenNone) {
  if (isReport || (!text && dimension === "user")) return name(text, whenNone); // most calls have no user
  const chosen = query().get(dimension) === text;
  return h(
    "a",
    {
      href: href({ [dimension]: chosen ? null : text }),
      "data-filter": dimension,
      "aria-current": chosen ? "true" : null,
    },
    name(text, whenNone),
  );
}

// A bar of a share, for the eye alone: the number stands beside it.
export function bar(part, tone = "") {
  return h("span", {
    class: `bar ${tone}`,
    "aria-hidden": "true",
    vars: { "--share": Math.max(0, Math.min(1, part ?? 0)) },
  });
}

// Copied numbers are the exact ones, rows with tabs between their cells.
addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !event.clipboardData) return;
  const copied = selection.getRangeAt(0).cloneContents();
  const numbers = copied.querySelectorAll("data[value]");
  if (!numbers.length) return;
  for (const number of numbers) number.textContent = number.value;
  for (const cell of copied.querySelectorAll("th, td"))
    if (cell.nextElementSibling) cell.append("\t");
  for (const row of copied.querySelectorAll("tr")) row.append("\n");
  event.clipboardData.setData("text/plain", copied.textContent.trimEnd());
  event.preventDefault();
});
