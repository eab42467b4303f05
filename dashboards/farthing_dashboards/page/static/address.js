// What is looked at is in the address: filters in its query, an open trace in its fragment.

export const DIMENSIONS = ["service", "model", "step", "workflow", "user"];
export const TIMES = ["since", "start", "end"];
export const SINCE = ["15m", "1h", "6h", "24h", "7d", "30d", "all"];

export function query() {
  return new URLSearchParams(location.search);
}

// The address with these filters changed; null takes one away.
export function href(changes) {
  const changed = query();
  if (TIMES.some((name) => changes[name])) TIMES.forEach((name) => changed.delete(name));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return `?${changed}`;
}

export function go(address) {
  history.pushState(null, "", address);
  dispatchEvent(new Event("asked"));
}

export function filtered() {
  const asked = query();
  return DIMENSIONS.some((name) => asked.has(name));
}

// {trace, span} of the fragment; trace is null when none is open.
export function opened() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  return { trace: fragment.get("trace"), span: fragment.get("span") };
}

export function traceHref(trace, span) {
  return `#${new URLSearchParams(span ? { trace, span } : { trace })}`;
}

// Links that filter stay on the page; a click that wants a new tab is left to the browser.
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-filter]");
  if (
    !link ||
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey
  )
    return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
