// Where the data comes from: the server, or the report that this file is.

import { query } from "./address.js";

const embedded = document.getElementById("report");
const report = embedded ? JSON.parse(embedded.textContent) : null;

export const isReport = report !== null;

// What went wrong, as a sentence; `lost` when nobody answers.
export class Failure extends Error {
  constructor(sentence, lost) {
    super(sentence);
    this.lost = lost;
  }
}

export async function page(signal) {
  return report ? report.view : ask("page", query(), signal);
}

export async function people(signal) {
  return report ? report.people : ask("people", query(), signal);
}

export async function trace(id, signal) {
  if (!report) return ask("trace", new URLSearchParams({ id }), signal);
  const found = report.traces.find((each) => each.trace_id === id);
  if (!found) throw new Failure("This report has the traces of the dearest calls alone.", false);
  return found;
}

async function ask(what, asked, signal) {
  let response;
  try {
    response = await fetch(`/api/${what}?${asked}`, { signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("farthing does not answer.", true);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new Failure(
    answer?.error ?? `farthing answered ${response.status}.`,
    response.status >= 500,
  );
}
