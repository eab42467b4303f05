// Asking again every few seconds while somebody looks and the range ends now, and saying how that
// goes. A slow store is asked less often.

import { h, fill } from "./dom.js";
import { query } from "./address.js";
import { isReport } from "./source.js";
import * as format from "./format.js";

const EVERY = 3000;
const SLOWEST = 15000;
const place = document.getElementById("live");

let ask = null;
let timer = null;
let paused = false;
let lost = null;
let last = null;

const ends = () => query().has("end");

export function keepAsking(asking) {
  ask = asking;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && running()) again(0);
    else clearTimeout(timer);
  });
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-pause]")) pause(!paused);
    if (event.target.closest("[data-theme-switch]")) switchTheme();
  });
  addEventListener("keydown", (event) => {
    if (
      event.key === "p" &&
      !event.target.closest("input, select, textarea, dialog") &&
      !event.metaKey &&
      !event.ctrlKey &&
      !isReport
    )
      pause(!paused);
  });
  drawLive();
}

// An answer came after `took` ms, or none did and `failure` says why.
export function answered(took, failure = null) {
  if (failure === null) last = Date.now();
  lost = failure;
  drawLive();
  again(failure ? Math.min(SLOWEST, EVERY * 2) : Math.min(SLOWEST, Math.max(EVERY, took * 5)));
}

function running() {
  return !paused && !isReport && !ends();
}

function again(wait) {
  clearTimeout(timer);
  if ((running() && !document.hidden) || lost) timer = setTimeout(ask, wait);
}

function pause(whether) {
  paused = whether;
  drawLive();
  again(0);
}

function drawLive() {
  const dark =
    getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (document.documentElement.dataset.theme === undefined &&
      matchMedia("(prefers-color-scheme: dark)").matches);
  fill(
    place,
    !isReport && state(),
    h(
      "button",
      {
        type: "button",
        "data-theme-switch": true,
        class: "quiet",
        "aria-label": dark ? "Light theme" : "Dark theme",
        title: dark ? "Light theme" : "Dark theme",
      },
      dark ? "\u2600\ufe0e" : "\u263e\ufe0e",
    ),
  );
}

function state() {
  if (lost) return h("span", { class: "state lost", role: "status" }, `${lost} Trying again\u2026`);
  if (ends()) return h("span", { class: "state" }, "not live: the range has an end");
  return [
    h(
      "span",
      {
        class: `state ${paused ? "paused" : "on"}`,
        title: last ? `Last answer ${format.moment(last)}` : null,
      },
      paused ? "paused" : "live",
    ),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        "data-pause": true,
        "aria-pressed": String(paused),
        title: "Key: p",
      },
      paused ? "Resume" : "Pause",
    ),
  ];
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("farthing-theme", root.dataset.theme);
  } catch {
    // It lasts as long as the page, then.
  }
  dispatchEvent(new Event("theme"));
  drawLive();
}
