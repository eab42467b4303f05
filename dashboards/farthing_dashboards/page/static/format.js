// Numbers, money, shares and times as people read them; every way of writing one is here.

export const NOTHING = "\u2013";
const THIN = "\u202f";

// 38094 -> "38 094", with a narrow space that does not break.
function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

function fixed(number, places) {
  const [whole, fraction] = Math.abs(number).toFixed(places).split(".");
  return (number < 0 ? "\u2212" : "") + grouped(whole) + (fraction ? `.${fraction}` : "");
}

// An exact decimal string, or null = unknown. Shorter the larger it is, and never 0 unless it is:
// $21.88, $0.0232, $0.0000073.
export function money(exact) {
  if (exact === null || exact === undefined) return NOTHING;
  const amount = Number(exact);
  const sign = amount < 0 ? "\u2212$" : "$";
  const size = Math.abs(amount);
  const given = String(exact).split(".")[1]?.length ?? 0;
  return sign + fixed(size, Math.min(moneyPlaces(size), Math.max(2, given)));
}

function moneyPlaces(size) {
  if (size === 0) return 0;
  if (size >= 1) return 2;
  if (size >= 0.01) return 4;
  return Math.min(100, 1 - Math.floor(Math.log10(size)));
}

export const exactMoney = (exact) =>
  exact === null || exact === undefined ? "unknown" : `$${exact}`.replace("$-", "-$");

export function count(number) {
  return number === null || number === undefined ? NOTHING : fixed(number, 0);
}

// Tokens run into the billions: four digits are enough to compare them.
export function tokens(number) {
  if (number === null || number === undefined) return NOTHING;
  if (number < 1e6) return fixed(number, 0);
  const [size, unit] = number < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${fixed(number / size, 2)}${THIN}${unit}`;
}

export function share(part) {
  if (part === null || part === undefined) return NOTHING;
  if (part !== 0 && Math.abs(part) < 0.001) return part < 0 ? ">\u22120.1%" : "<0.1%";
  return `${fixed(part * 100, 1)}%`;
}

export function times(ratio) {
  return ratio === null || ratio === undefined ? NOTHING : `${fixed(ratio, ratio < 100 ? 1 : 0)}x`;
}

const SPANS = [
  [86400, "d", 3600, "h"],
  [3600, "h", 60, "min"],
  [60, "min", 1, "s"],
];

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 0.01) return `${fixed(seconds * 1000, 1)}${THIN}ms`;
  if (seconds < 0.9995) return `${fixed(seconds * 1000, 0)}${THIN}ms`;
  if (seconds < 60) return `${fixed(seconds, seconds < 10 ? 2 : 1)}${THIN}s`;
  const [size, unit, smaller, name] = SPANS.find(([each]) => seconds >= each);
  const rest = Math.floor((seconds % size) / smaller);
  return (
    `${fixed(Math.floor(seconds / size), 0)}${THIN}${unit}` + (rest ? ` ${rest}${THIN}${name}` : "")
  );
}

// The same of what is whole by definition: 15 s, not 15.0 s.
export const whole = (seconds) => duration(seconds).replace(/\.0+(?=\u202f)/, "");

export function perMinute(rate) {
  return rate === null || rate === undefined ? NOTHING : `${fixed(rate, rate < 10 ? 2 : 0)}/min`;
}

// "3 min ago"; `now` in milliseconds as `at` is.
export function ago(at, now) {
  const seconds = Math.max(0, (now - at) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)}${THIN}s ago`;
  const [size, unit] = SPANS.find(([each]) => seconds >= each);
  return `${fixed(Math.floor(seconds / size), 0)}${THIN}${unit} ago`;
}

// 24h -> "24 h", as the filters are named.
export const since = (text) =>
  text.replace(
    /(\d+)([a-z]+)/,
    (_, number, unit) => `${number}${THIN}${{ m: "min" }[unit] ?? unit}`,
  );

const two = (number) => String(number).padStart(2, "0");

// 2026-11-22 11:14 on the reader's own clock, or 11:14:07 where slots are shorter than a minute.
export function moment(at, lengthSeconds = 60) {
  const date = new Date(at);
  const seconds = lengthSeconds < 60 ? `:${two(date.getSeconds())}` : "";
  return `${day(at)} ${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

export function day(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

// A tick or slot of a chart: as much of the time as its distance from the next needs.
export function slot(at, lengthSeconds) {
  return lengthSeconds >= 86400 ? day(at) : moment(at, lengthSeconds).slice(5);
}

export const exactMoment = (at) =>
  new Date(at).toISOString().replace("T", " ").replace("Z", " UTC");

export function plural(number, noun, many = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : many}`;
}
