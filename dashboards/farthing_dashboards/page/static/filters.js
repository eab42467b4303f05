// The bar at the top: how far back, what of, and what is asked now, each a click from being gone.

import { h, fill } from "./dom.js";
import { DIMENSIONS, SINCE, go, href, query } from "./address.js";
import { moment } from "./format.js";
import { isReport } from "./source.js";

const bar = document.getElementById("filters");

export function drawFilters(view, people) {
  if (isReport) {
    fill(
      bar,
      h(
        "p",
        { class: "says" },
        `A report of ${moment(view.range.start)} to ${moment(Math.min(view.range.end, view.range.now))}, as it was then. To filter, run `,
        h("code", null, "farthing ui"),
        ". ",
        stated(view.asked),
      ),
    );
    return;
  }
  fill(bar, times(view.range), view.choices && choosers(view, people), chips());
}

function stated(asked) {
  const set = DIMENSIONS.filter((name) => asked[name]);
  return set.length ? `Of ${set.map((name) => `${name} ${asked[name]}`).join(", ")} alone.` : "";
}

function times(range) {
  const asked = query();
  const since =
    asked.get("start") || asked.get("end") ? null : (asked.get("since") ?? range?.since);
  return h(
    "div",
    { class: "times", role: "group", "aria-label": "Time" },
    SINCE.map((each) =>
      h(
        "a",
        {
          href: href({ since: each }),
          "data-filter": "since",
          "aria-current": each === since ? "true" : null,
        },
        each,
      ),
    ),
    h(
      "details",
      { class: "between", "data-key": "between" },
      h("summary", { class: since === null ? "chosen" : null }, "between\u2026"),
      h(
        "div",
        null,
        h("label", null, "from", h("input", { type: "datetime-local", step: "1", name: "start" })),
        h("label", null, "to", h("input", { type: "datetime-local", step: "1", name: "end" })),
        h("button", { type: "button", "data-between": true }, "Show"),
      ),
    ),
  );
}

function choosers(view, people) {
  const asked = query();
  const users = (people?.users ?? []).map((row) => row.name).filter(Boolean);
  const all = { ...view.choices, user: users };
  return h(
    "div",
    { class: "choosers" },
    DIMENSIONS.map((dimension) => {
      const chosen = asked.get(dimension) ?? "";
      const choices = [...new Set([...(all[dimension] ?? []), chosen])].filter(Boolean);
      return h(
        "label",
        { "data-key": dimension },
        h("span", { class: "unseen" }, dimension),
        h(
          "select",
          { name: dimension, disabled: !choices.length, class: chosen ? "chosen" : null },
          h("option", { value: "" }, `any ${dimension}`),
          choices.map((choice) =>
            h(
              "option",
              { value: choice, selected: choice === chosen },
              choice.length > 60 ? `${choice.slice(0, 59)}\u2026` : choice,
            ),
          ),
        ),
      );
    }),
  );
}

function chips() {
  const asked = query();
  const set = DIMENSIONS.filter((name) => asked.has(name));
  const chip = (label, value, gone) =>
    h(
      "a",
      {
        class: "chip",
        href: href(gone),
        "data-filter": "gone",
        "data-key": label,
        "aria-label": `Remove ${label} ${value}`,
      },
      h("span", null, label),
      " ",
      h("bdi", { class: "label", title: value }, value || "not given"),
      h("b", { "aria-hidden": "true" }, "\u00d7"),
    );
  const between = ["start", "end"]
    .filter((name) => asked.has(name))
    .map((name) => [name === "start" ? "from" : "to", name]);
  const chipsOf = [
    ...between.map(([label, name]) => chip(label, asked.get(name), { [name]: null })),
    ...set.map((name) => chip(name, asked.get(name), { [name]: null })),
  ];
  return (
    chipsOf.length > 0 &&
    h(
      "div",
      { class: "chips", role: "group", "aria-label": "What is asked" },
      chipsOf,
      chipsOf.length > 1 &&
        h("a", { class: "clear", href: "?", "data-filter": "gone" }, "Clear all"),
    )
  );
}

bar.addEventListener("change", (event) => {
  if (event.target.matches("select")) go(href({ [event.target.name]: event.target.value || null }));
});

bar.addEventListener("click", (event) => {
  if (!event.target.closest("[data-between]")) return;
  const changes = {};
  for (const input of bar.querySelectorAll("input[type=datetime-local]")) {
    if (input.value) changes[input.name] = new Date(input.value).toISOString().slice(0, 19) + "Z";
  }
  if (!Object.keys(changes).length) return;
  event.target.closest("details").open = false;
  go(href(changes));
});
