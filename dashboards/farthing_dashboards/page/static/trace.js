// An open trace: its spans as a waterfall with what each cost, and why the chosen one cost that.
// The fragment of the address says which trace and span, so a copied address opens the same.

import { h, fill } from "./dom.js";
import { opened, traceHref } from "./address.js";
import { count, exactly, money, moment, name, seconds, tokens } from "./cells.js";
import { explanation, logged } from "./explanation.js";
import * as source from "./source.js";
import * as format from "./format.js";

const MOST = 1000;
const dialog = document.getElementById("trace");
let shown = null;

export async function follow() {
  const { trace: id, span } = opened();
  if (!id) {
    if (dialog.open) dialog.close();
    shown = null;
    return;
  }
  if (!dialog.open) dialog.showModal();
  if (shown?.trace_id !== id) {
    shown = null;
    fill(
      dialog,
      head("Trace"),
      h("div", { class: "skeleton", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    );
    try {
      const found = await source.trace(id);
      if (opened().trace !== id) return;
      shown = found;
    } catch (failure) {
      fill(dialog, head("Trace"), h("p", { class: "message", role: "alert" }, failure.message));
      return;
    }
  }
  draw(span ?? shown.spans.find((each) => each.flagged)?.span_id ?? shown.spans[0]?.span_id);
}

function draw(chosen) {
  const spans = shown.spans.slice(0, MOST);
  const span = shown.spans.find((each) => each.span_id === chosen) ?? spans[0];
  fill(
    dialog,
    head(spans[0]?.label ?? "Trace"),
    h(
      "dl",
      { class: "facts" },
      fact("cost", money(shown.cost)),
      fact("calls", count(shown.calls)),
      fact("took", seconds(shown.duration_s)),
      fact("began", moment(shown.start)),
      fact("trace", h("code", { title: shown.trace_id }, shown.trace_id.slice(0, 8))),
    ),
    h(
      "div",
      { class: "split" },
      h(
        "ol",
        { class: "waterfall", "aria-label": "Spans; arrow keys choose one" },
        h(
          "li",
          { class: "scale", "aria-hidden": "true" },
          h("span", null, "span"),
          h("span", null, "cost"),
          h("span", null, "tokens in / out"),
          h(
            "span",
            { class: "ends" },
            h("span", null, "0"),
            h("span", null, format.duration(shown.duration_s)),
          ),
        ),
        spans.map((each) => line(each, each === span)),
        shown.spans.length > MOST &&
          h(
            "li",
            { class: "says" },
            `${format.count(shown.spans.length - MOST)} more spans are not drawn.`,
          ),
      ),
      h(
        "section",
        { class: "detail", "aria-label": "The chosen span", tabindex: "-1" },
        span && explanation(span),
        shown.logs?.length > 0 && [h("h4", null, "Logs of no span here"), shown.logs.map(logged)],
      ),
    ),
  );
  const current = dialog.querySelector("[aria-current]");
  if (
    !dialog.contains(document.activeElement) ||
    document.activeElement === dialog ||
    document.activeElement?.closest(".waterfall")
  )
    current?.focus({ preventScroll: true });
  current?.scrollIntoView({ block: "nearest" });
}

function fact(what, amount) {
  return h("div", null, h("dt", null, what), h("dd", null, amount));
}

function head(title) {
  return h(
    "header",
    null,
    h("h2", { id: "trace-title" }, name(title)),
    h(
      "button",
      { type: "button", class: "close", "data-close": true, "aria-label": "Close the trace" },
      "Close",
      h("kbd", null, "Esc"),
    ),
  );
}

function line(span, current) {
  const length = shown.duration_s || 1;
  return h(
    "li",
    { "data-key": span.span_id, class: `${span.kind}${span.error ? " failed" : ""}` },
    h(
      "a",
      {
        href: traceHref(shown.trace_id, span.span_id),
        "aria-current": current ? "true" : null,
        tabindex: current ? "0" : "-1",
      },
      h(
        "span",
        { class: "who", vars: { "--depth": Math.min(span.depth, 12) } },
        name(span.label),
        span.flagged && h("span", { class: "mark warn" }, "flagged"),
        span.error && h("span", { class: "mark bad" }, "failed"),
      ),
      h(
        "span",
        { class: "value" },
        span.cost !== null
          ? money(span.cost)
          : span.kind === "call" && span.status
            ? money(null)
            : "",
      ),
      h(
        "span",
        { class: "value" },
        span.input_tokens === null && span.output_tokens === null
          ? ""
          : [tokens(span.input_tokens), " / ", tokens(span.output_tokens)],
      ),
      h(
        "span",
        {
          class: "track",
          title: `${format.duration(span.duration_s)}, from ${format.duration(span.offset_s)}`,
        },
        h("i", {
          vars: { "--from": span.offset_s / length, "--length": span.duration_s / length },
        }),
      ),
    ),
  );
}

function choose(step) {
  const spans = shown?.spans.slice(0, MOST) ?? [];
  const at = spans.findIndex(
    (each) => each.span_id === dialog.querySelector("[aria-current]")?.closest("li").dataset.key,
  );
  const next =
    spans[
      Math.min(
        spans.length - 1,
        Math.max(0, typeof step === "number" ? at + step : step === "first" ? 0 : spans.length - 1),
      )
    ];
  if (!next) return;
  history.replaceState(null, "", traceHref(shown.trace_id, next.span_id));
  draw(next.span_id);
}

const KEYS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: "first", End: "last" };

dialog.addEventListener("keydown", (event) => {
  if (!event.target.closest(".waterfall")) return;
  if (event.key in KEYS) {
    event.preventDefault();
    choose(KEYS[event.key]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    dialog.querySelector(".detail")?.focus();
  }
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
});
// Closed by Esc, the button or a click beside it: the address says so too.
dialog.addEventListener("close", () => {
  if (opened().trace)
    history.pushState(null, "", source.isReport ? "#" : location.pathname + location.search);
  shown = null;
});
addEventListener("hashchange", follow);
addEventListener("popstate", follow);
