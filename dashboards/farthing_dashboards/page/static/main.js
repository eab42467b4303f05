// The page: its sections in order, and what is shown instead when there is nothing to show.

import { h, fill } from "./dom.js";
import { filtered, query } from "./address.js";
import { dearest, trust } from "./calls.js";
import { money } from "./format.js";
import { drawFilters } from "./filters.js";
import { answered, keepAsking } from "./live.js";
import { isReport, page, people } from "./source.js";
import { now, paretoOfSteps, speed, steps } from "./spend.js";
import { expand } from "./table.js";
import { follow } from "./trace.js";
import { trendFigure } from "./trend.js";
import { caching, models, waste, who, workflows } from "./work.js";

const SECTIONS = [
  ["spend", "Spend", null, now],
  [
    "pareto",
    "Where it goes",
    "Steps from the dearest down, and what they come to together.",
    paretoOfSteps,
  ],
  ["steps", "Steps", "A step that weighs more than its volume is where to look first.", steps],
  [
    "workflows",
    "Cost per completed workflow",
    "Everything its runs spent, failed ones too, over those that succeeded.",
    workflows,
  ],
  ["waste", "Waste", "Spend that bought nothing, each dollar under one reason.", waste],
  ["speed", "Speed and errors", "By step, the dearest first.", speed],
  ["models", "Models", null, models],
  ["cache", "Prompt cache", null, caching],
  ["who", "Who spends", null, who],
  ["calls", "Dearest calls", "Each opens its trace, and why it cost that.", dearest],
  ["trust", "How far to trust this", null, trust],
];

const content = document.getElementById("content");
const rail = document.getElementById("rail");
const said = document.getElementById("said");
const trend = trendFigure();
let view = null;
let persons = null;
let asking = null;

function draw() {
  drawFilters(view, persons);
  if (!view.store.spans) return show("empty", empty());
  if (!view.total.calls) return show("none", noMatch());
  show(
    "page",
    SECTIONS.map(([id, title, says, body]) =>
      h(
        "section",
        { id, "aria-labelledby": `${id}-title`, "data-key": id },
        h("h2", { id: `${id}-title` }, title),
        says && h("p", { class: "about" }, says),
        body(view, persons, { trend: h("div", { "data-own": "trend" }) }),
      ),
    ),
  );
  fill(
    rail,
    SECTIONS.map(([id, title]) => h("li", null, h("a", { href: `#${id}` }, title))),
  );
  const place = content.querySelector("[data-own=trend]");
  if (trend.figure.parentNode !== place) place.replaceChildren(trend.figure);
  trend.update(view);
  document.title = `${money(view.total.cost)} \u00b7 farthing`;
}

function show(state, children) {
  document.body.dataset.state = state;
  if (state !== "page") fill(rail);
  fill(content, children);
  document.body.dataset.ready = state;
}

function empty() {
  const endpoint = `OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf opentelemetry-instrument python my_agent.py`;
  return h(
    "section",
    { class: "message", "data-key": "empty" },
    h("h2", null, "Nothing has arrived yet"),
    h("p", null, "Run a program of yours, and this page fills while it runs:"),
    command("farthing run python my_agent.py"),
    !isReport && [
      h("p", null, "Or send it here from a program that is instrumented already:"),
      command(endpoint),
    ],
    h("p", null, "To see what it looks like first, run the sample agent, which needs no key:"),
    command("farthing demo"),
  );
}

function command(text) {
  return h(
    "p",
    { class: "command", "data-key": text },
    h("code", null, text),
    h("button", { type: "button", "data-copy": text }, "Copy"),
  );
}

function noMatch() {
  return h(
    "section",
    { class: "message", "data-key": "none" },
    h("h2", null, "No call matches"),
    h(
      "p",
      null,
      filtered()
        ? "The store has calls, but none in this time with these filters."
        : "The store has calls, but none in this time.",
    ),
    h(
      "p",
      null,
      h("a", { class: "button", href: "?", "data-filter": "gone" }, "Clear the filters"),
      " ",
      h("a", { class: "button", href: "?since=all", "data-filter": "gone" }, "Show all time"),
    ),
  );
}

function failed(failure) {
  if (failure.lost && view) return;
  drawFilters({ range: null, choices: null }, null);
  show(
    "error",
    h(
      "section",
      { class: "message", role: "alert", "data-key": "error" },
      h("h2", null, failure.lost ? "No connection" : "That cannot be shown"),
      h("p", null, failure.message),
      h(
        "p",
        null,
        failure.lost ? "Start it again with " : "",
        failure.lost
          ? h("code", null, "farthing ui")
          : h("a", { class: "button", href: "?", "data-filter": "gone" }, "Start over"),
      ),
    ),
  );
}

async function ask() {
  asking?.abort();
  const { signal } = (asking = new AbortController());
  const began = performance.now();
  try {
    const found = await page(signal);
    if (signal.aborted) return;
    const asked = people(signal);
    view = found;
    draw();
    persons = await asked;
    if (signal.aborted) return;
    draw();
    answered(performance.now() - began);
  } catch (failure) {
    if (failure.name === "AbortError") return;
    failed(failure);
    answered(performance.now() - began, failure.lost ? failure.message : null);
  }
}

// Other filters: the numbers of the old ones fade until the new ones are there.
async function askAnew() {
  persons = null;
  document.body.dataset.asking = "";
  await ask();
  delete document.body.dataset.asking;
  said.textContent = view ? `${money(view.total.cost)} in ${view.total.calls} calls` : "";
}

addEventListener("click", (event) => {
  const more = event.target.closest?.("[data-more]");
  if (more) {
    expand(more.dataset.more);
    draw();
  }
  const copy = event.target.closest?.("[data-copy]");
  if (copy)
    navigator.clipboard
      .writeText(copy.dataset.copy)
      .then(() => (said.textContent = copy.textContent = "Copied"));
});
addEventListener("asked", askAnew);
let asked = location.search;
addEventListener("popstate", () => {
  if (location.search !== asked) askAnew();
  asked = location.search;
});
addEventListener("asked", () => (asked = location.search));

keepAsking(ask);
ask().then(follow);
