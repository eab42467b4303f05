// Small drawings of plain elements and SVG: the Pareto of steps, and trends as long as a word.

import { h, svg } from "./dom.js";
import { bar, filter, name, share, spend } from "./cells.js";
import * as format from "./format.js";

const FEW = 10;

// Bars from the dearest down, and the line of what they come to together. Of many steps the last
// is all the rest.
export function pareto(rows) {
  const shown = rows.filter((row) => row.cost !== null && row.share_cost !== null);
  const few = shown.length > FEW + 1 ? [...shown.slice(0, FEW), rest(shown.slice(FEW))] : shown;
  if (!few.length) return null;
  const points = few.map((row, index) => `${(row.cumulative * 100).toFixed(2)},${index + 0.5}`);
  return h(
    "figure",
    {
      class: "pareto",
      role: "group",
      "aria-label": "Pareto of steps: share of spend of each, and cumulative share",
    },
    h(
      "ol",
      null,
      few.map((row) =>
        h(
          "li",
          { "data-key": row.name },
          h("span", { class: "who" }, row.isRest ? name(row.name) : filter("step", row.name)),
          h("span", { class: "track" }, bar(row.share_cost)),
          h("span", { class: "value" }, share(row.share_cost)),
          h("span", { class: "value cost" }, spend(row)),
          h(
            "span",
            { class: "value together", title: "of spend, with all dearer steps" },
            share(row.cumulative),
          ),
        ),
      ),
    ),
    h(
      "div",
      { class: "line", "aria-hidden": "true", vars: { "--rows": few.length } },
      svg(
        "svg",
        { viewBox: `0 0 100 ${few.length}`, preserveAspectRatio: "none" },
        svg("line", { class: "goal", x1: 80, x2: 80, y1: 0, y2: few.length }),
        svg("polyline", { points: points.join(" ") }),
      ),
      few.map((row, index) =>
        h("i", {
          vars: { "--x": row.cumulative, "--y": (index + 0.5) / few.length },
          title: `${format.share(row.cumulative)} of spend up to here`,
        }),
      ),
    ),
    h(
      "figcaption",
      null,
      h("span", { class: "key-bar" }, "share of spend"),
      h("span", { class: "key-line" }, "together with all dearer steps"),
      h("span", { class: "key-goal" }, "80%"),
    ),
  );
}

function rest(rows) {
  return {
    name: `${format.plural(rows.length, "other step")}`,
    isRest: true,
    calls: 0,
    unpriced: 0,
    cost: rows.reduce((sum, row) => sum + Number(row.cost), 0).toFixed(6),
    share_cost: rows.reduce((sum, row) => sum + row.share_cost, 0),
    cumulative: 1,
  };
}

// "2 of 8 steps make 92.4% of the spend."
export function concentration(rows) {
  const enough = rows.findIndex((row) => row.cumulative !== null && row.cumulative >= 0.8);
  if (enough < 0 || rows.length < 2) return null;
  const makes = enough === 0 ? "makes" : "make";
  return `${enough + 1} of ${format.plural(rows.length, "step")} ${makes} ${format.share(rows[enough].cumulative)} of the spend.`;
}

// Amounts (or null where there is none) as a line; the words for it are its title.
export function sparkline(amounts, says) {
  const known = amounts
    .map((amount, at) => [at, amount === null ? null : Number(amount)])
    .filter(([, value]) => value !== null);
  if (!known.length) return h("span", { class: "nothing" }, format.NOTHING);
  const values = known.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (at) => ((at / Math.max(1, amounts.length - 1)) * 96 + 2).toFixed(1);
  const y = (value) => (high === low ? 12 : 21 - ((value - low) / (high - low)) * 18).toFixed(1);
  const [lastAt, last] = known.at(-1);
  return svg(
    "svg",
    { class: "spark", viewBox: "0 0 100 24", role: "img", "aria-label": says },
    svg("title", null, says),
    svg("polyline", { points: known.map(([at, value]) => `${x(at)},${y(value)}`).join(" ") }),
    svg("circle", { cx: x(lastAt), cy: y(last), r: 2.2 }),
  );
}
