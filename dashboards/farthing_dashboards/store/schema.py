"""The store file's tables, and the sums that are kept of calls.

A call is in `calls` once, and in five roll-ups: its sums by minute and by hour, how long calls took
by minute and by hour, and what each user and session spent by hour. Roll-ups are written by the
same SQL, in the same transaction, as what they are made of, so that every number of the page agrees
with every other.

Times are nanoseconds since the Unix epoch, slots seconds since it. Money is whole picodollars
(1e-12 USD), so that sums are exact, whatever their order. Unknown is NULL, or '' in `groups`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from farthing_processor import semconv as names

APPLICATION_ID: Final = 0x66727468
"""Says in the file's header whose it is: ``frth``."""
VERSION: Final = 1
"""Of these tables; in the header too."""

PICODOLLARS: Final = 12
"""Decimal places of USD that money is kept with."""

GROUP: Final = (
    "service",
    "provider",
    "model",
    "operation",
    "step",
    "agent",
    "workflow",
    "feature",
    "prices",
)
"""What calls are summed by: few distinct values each. Users and sessions are not among them.
``prices`` is the price table that made the amount, by the name that spans give it."""

REASONS: Final = (
    names.COST_OUTLIER,
    names.CONTEXT_GROWTH,
    names.COMPLETION_SPIKE,
    names.RETRY_STORM,
    names.REPEATED_PROMPT,
    names.LARGE_UNCACHED_PREFIX,
    names.LOW_YIELD,
)
"""Why a call is not normal; it may have several. None is part of another's name."""

WASTE: Final = (
    names.WASTE_FAILED,
    names.WASTE_ABANDONED,
    names.WASTE_REPEATED,
    names.WASTE_WORKFLOW_FAILED,
)
"""Why its cost bought nothing: it has one at most."""

SUMS: Final[Mapping[str, str]] = {
    "calls": "1",
    "errors": "error",
    "retries": "retries",
    "priced": "cost IS NOT NULL",
    "unpriced": "status IN ('unpriced', 'usage_missing')",
    "estimated": "status = 'estimated'",
    "inconsistent": "status = 'inconsistent'",
    "partial": "status = 'partial'",
    "counted": "input_tokens IS NOT NULL OR output_tokens IS NOT NULL",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cost": "cost",
    "cost_input": "cost_input",
    "cost_cache_read": "cost_cache_read",
    "cost_cache_write": "cost_cache_write",
    "cost_output": "cost_output",
    "cost_tools": "cost_tools",
    "cost_estimated": "CASE WHEN status = 'estimated' THEN cost END",
    "savings": "savings",
    "avoidable": "avoidable",
    "flagged": "flagged",
    "cost_outliers": "CASE WHEN instr(reasons, 'cost_outlier') THEN cost END",
    **{f"flag_{reason}": f"instr(reasons, '{reason}') > 0" for reason in REASONS},
    **{f"waste_{reason}": f"CASE WHEN waste = '{reason}' THEN cost END" for reason in WASTE},
}
"""Each sum by its name, as SQL over one row of `calls`; NULL counts as 0."""

TIMES: Final = ("duration", "first_chunk")
"""What is kept as a histogram, to tell its quantiles."""

PEOPLE: Final = ("user", "session")
"""Whose a call is: of many distinct values."""
PEOPLE_SUMS: Final = ("calls", "priced", "cost")
"""Those of `SUMS` that are kept of each, by the hour."""

SLOTS: Final[Mapping[str, int]] = {"minute": 60, "hour": 3600}
"""Seconds of a slot of each roll-up."""

ROLLUPS: Final[Mapping[str, int]] = {
    **{f"{slot}_{what}": seconds for slot, seconds in SLOTS.items() for what in ("sums", "times")},
    "people": SLOTS["hour"],
}
"""Each table of roll-ups, and the seconds of its slots."""

_SUM_COLUMNS = ",\n".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in SUMS)

TABLES: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- spans, calls: how many ever came; first, last: start of the first and end of the last span kept.

CREATE TABLE groups (
  id INTEGER PRIMARY KEY,
  {", ".join(f"{name} TEXT NOT NULL" for name in GROUP)},
  UNIQUE ({", ".join(GROUP)})
);

CREATE TABLE tables (name TEXT PRIMARY KEY, released INTEGER NOT NULL) WITHOUT ROWID;
-- When price tables were released (ns), of those whose age a metric told.

CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
  trace_id BLOB NOT NULL,
  span_id BLOB NOT NULL,
  at INTEGER NOT NULL,             -- start
  group_id INTEGER NOT NULL,
  run TEXT,                        -- farthing.workflow.id
  user TEXT,
  session TEXT,
  status TEXT,                     -- farthing.cost.status; NULL of a call that failed unbilled
  error INTEGER NOT NULL,
  retries INTEGER NOT NULL,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  reasoning_tokens INTEGER,
  cost INTEGER,
  cost_input INTEGER,
  cost_cache_read INTEGER,
  cost_cache_write INTEGER,
  cost_output INTEGER,
  cost_tools INTEGER,
  savings INTEGER,
  avoidable INTEGER,
  flagged INTEGER NOT NULL,        -- farthing.outlier.detected
  reasons TEXT,                    -- those of `REASONS`, with commas between
  waste TEXT,                      -- the reason
  duration INTEGER NOT NULL,       -- buckets of farthing_processor.histogram, of seconds
  first_chunk INTEGER,
  UNIQUE (span_id, trace_id)
);
CREATE INDEX calls_by_time ON calls (at);
CREATE INDEX calls_by_cost ON calls (cost, at, group_id) WHERE cost IS NOT NULL;
CREATE INDEX calls_by_run ON calls (run) WHERE run IS NOT NULL;
CREATE INDEX calls_by_user ON calls (user, at, group_id, cost) WHERE user IS NOT NULL;
CREATE INDEX calls_by_session ON calls (session, at, group_id, cost) WHERE session IS NOT NULL;

CREATE TABLE people (
  what TEXT NOT NULL,              -- one of `PEOPLE`
  name TEXT NOT NULL,
  slot INTEGER NOT NULL,           -- an hour
  {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in PEOPLE_SUMS)},
  PRIMARY KEY (what, name, slot)
) WITHOUT ROWID;
CREATE INDEX people_gone ON people (slot) WHERE calls = 0;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,             -- farthing.workflow.id
  at INTEGER NOT NULL,             -- end of the root span
  trace_id BLOB NOT NULL,
  span_id BLOB NOT NULL,
  service TEXT NOT NULL,
  workflow TEXT NOT NULL,
  outcome TEXT NOT NULL,
  user TEXT
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (at, workflow, outcome, service);

CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,             -- the earliest time in it
  signal TEXT NOT NULL,            -- spans, points or logs
  trace_id BLOB,                   -- of spans, and of logs within a trace
  digest INTEGER NOT NULL UNIQUE,  -- of the records: a request that is sent again adds nothing
  payload BLOB NOT NULL            -- zlib over a JSON list of records of one request
);
CREATE INDEX chunks_by_trace ON chunks (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX chunks_by_time ON chunks (at);
""" + "".join(
    f"""
CREATE TABLE {slot}_sums (
  slot INTEGER NOT NULL,
  group_id INTEGER NOT NULL,
  {_SUM_COLUMNS},
  PRIMARY KEY (slot, group_id)
) WITHOUT ROWID;
CREATE TABLE {slot}_times (
  slot INTEGER NOT NULL,
  group_id INTEGER NOT NULL,
  what TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (slot, group_id, what, bucket)
) WITHOUT ROWID;
"""
    for slot in SLOTS
)


def to_picodollars(usd: float) -> int:
    """A double as an amount: the shortest decimal that is this double, to a trillionth."""
    return int(Decimal(repr(usd)).scaleb(PICODOLLARS).to_integral_value())


def to_usd(picodollars: int) -> Decimal:
    """An amount in USD, exact."""
    return Decimal(picodollars).scaleb(-PICODOLLARS)
