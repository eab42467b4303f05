"""Ingest: the records of one request, all of them or none, with every sum that they change."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from farthing_dashboards.otlp import LogRecord, Point, Record, Span
from farthing_dashboards.store import rows
from farthing_dashboards.store.payload import compressed, encoded
from farthing_dashboards.store.rows import Call
from farthing_dashboards.store.schema import GROUP
from farthing_dashboards.store.sums import SECOND, roll, roll_sums
from farthing_processor import semconv as names
from farthing_processor.metrics import PRICES_AGE

KNOWN: Final = 10_000
"""Ids of groups that a writer remembers, at most."""


class Chunk(NamedTuple):
    """A row of `chunks`, and how many records it holds."""

    at: int
    signal: str
    trace_id: bytes | None
    digest: int
    payload: bytes
    records: int


class Batch(NamedTuple):
    """The rows of one request. Immutable."""

    calls: Sequence[Call]
    runs: Sequence[tuple[Any, ...]]
    chunks: Sequence[Chunk]
    released: Mapping[str, int]
    """When price tables were released, by name."""
    first: int | None
    last: int | None


def batch_of(records: Iterable[Record], now_ns: int) -> Batch:
    """The rows of records that came at ``now_ns``. Pure."""
    spans: list[Span] = []
    together: dict[tuple[str, str | None], list[Any]] = {}
    released: dict[str, int] = {}
    for record in records:
        match record:
            case Span():
                spans.append(record)
                key = "spans", record.trace_id
            case LogRecord():
                key = "logs", record.trace_id
            case Point():
                key = "points", None
                if record.name == PRICES_AGE.name and (found := _release(record, now_ns)):
                    released.update([found])
        together.setdefault(key, []).append(record)
    ends = [rows.moment(span.end_ns, now_ns) for span in spans]
    return Batch(
        [rows.call_of(span, now_ns) for span in spans if rows.is_call(span)],
        [row for span in spans if (row := rows.run_of(span, now_ns)) is not None],
        [_chunk(*key, of, now_ns) for key, of in together.items()],
        released,
        min((rows.moment(span.start_ns, now_ns) for span in spans), default=None),
        max(ends, default=None),
    )


def _chunk(signal: str, trace_id: str | None, records: Sequence[Any], now_ns: int) -> Chunk:
    text = encoded(records)
    return Chunk(
        min(rows.moment(_time(record), now_ns) for record in records),
        signal,
        bytes.fromhex(trace_id) if trace_id is not None else None,
        int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True),
        compressed(text),
        len(records),
    )


def _time(record: Record) -> int:
    match record:
        case Span():
            return record.start_ns
        case LogRecord():
            return record.time_ns or record.observed_ns
        case Point():
            return record.time_ns


def _release(point: Point, now_ns: int) -> tuple[str, int] | None:
    """When a price table was released, by the metric that tells its age in seconds."""
    name, age = rows.text(point.attributes.get(names.COST_PRICES)), point.value
    if name is None or age is None or not 0 <= age < math.inf:
        return None
    released = rows.moment(point.time_ns, now_ns) - round(age * SECOND)
    return (name, released // SECOND * SECOND) if released > 0 else None


_CALL_COLUMNS: Final = ("group_id", *rows.COLUMNS)


def _insert(table: str, columns: Sequence[str], conflict: str) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT {conflict}"


_CALL: Final = _insert("calls", _CALL_COLUMNS, "(span_id, trace_id) DO NOTHING")
_CHUNK: Final = _insert("chunks", Chunk._fields[:-1], "(digest) DO NOTHING")
_GROUP: Final = _insert("groups", GROUP, "DO NOTHING")
_GROUP_ID: Final = f"SELECT id FROM groups WHERE {' AND '.join(f'{name} = ?' for name in GROUP)}"
_RELEASED: Final = _insert(
    "tables", ("name", "released"), "(name) DO UPDATE SET released = excluded.released"
)
_RUN_COLUMNS: Final = ("id", "at", "trace_id", "span_id", "service", "workflow", "outcome", "user")
_RUN: Final = _insert(
    "runs",
    _RUN_COLUMNS,
    f"(id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _RUN_COLUMNS)}"
    # Should a run have two ends, the later counts, in whatever order they come.
    " WHERE (excluded.at, excluded.span_id) > (at, span_id)",
)
_META: Final = {
    name: _insert("meta", ("name", "value"), f"(name) DO UPDATE SET value = {value}")
    for name, value in {
        "spans": "value + excluded.value",
        "calls": "value + excluded.value",
        "first": "min(value, excluded.value)",
        "last": "max(value, excluded.value)",
    }.items()
}

_MISJUDGED: Final = f"""
SELECT calls.id FROM runs JOIN calls ON calls.run = runs.id
WHERE runs.id IN (SELECT value FROM json_each(?)) AND calls.cost IS NOT NULL
AND CASE WHEN runs.outcome = 'failed' THEN calls.waste IS NULL
         ELSE calls.waste = '{names.WASTE_WORKFLOW_FAILED}' END
"""
"""Calls that bought nothing because their workflow failed, and do not say so; or say so, and it
did not. Of the runs in a JSON list."""
_JUDGE: Final = f"""
UPDATE calls SET waste = CASE WHEN waste IS NULL THEN '{names.WASTE_WORKFLOW_FAILED}' END
WHERE id IN (SELECT value FROM json_each(?))
"""


class Writer:
    """Writes batches through one connection. Not thread-safe."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, ...], int] = {}
        """Ids of groups, which never change."""

    def write(self, batch: Batch) -> None:
        """Write it whole, within the caller's transaction."""
        execute = self._connection.execute
        (last,) = execute("SELECT coalesce(max(id), 0) FROM calls").fetchone()
        self.insert(batch.calls)
        self._connection.executemany(_RUN, batch.runs)
        self._connection.executemany(_RELEASED, batch.released.items())
        came = sum(
            chunk.records
            for chunk in batch.chunks
            if execute(_CHUNK, chunk[:-1]).rowcount and chunk.signal == "spans"
        )
        runs = {row[0] for row in batch.runs}
        runs.update(call.values[_RUN_AT] for call in batch.calls)
        self._judge(runs - {None}, last)
        (new,) = execute("SELECT count(*) FROM calls WHERE id > ?", (last,)).fetchone()
        if new:
            roll(self._connection, "+", "id > ?", (last,))
        for name, value in (
            ("spans", came),
            ("calls", new),
            ("first", batch.first),
            ("last", batch.last),
        ):
            if value is not None:
                execute(_META[name], (name, value))

    def insert(self, calls: Iterable[Call]) -> None:
        """Insert those calls that are not there yet."""
        self._connection.executemany(
            _CALL, [(self._group_id(call.group), *call.values) for call in calls]
        )

    def forget(self) -> None:
        """Forget the ids of what was rolled back."""
        self._known.clear()

    def _group_id(self, group: tuple[str, ...]) -> int:
        known = self._known.get(group)
        if known is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._connection.execute(_GROUP, group)
            (known,) = self._connection.execute(_GROUP_ID, group).fetchone()
            self._known[group] = known
        return known

    def _judge(self, runs: set[str], last: int) -> None:
        """Have the calls of ``runs`` bear the waste of a workflow that failed, whichever came
        first; those up to the id ``last`` are in the roll-ups already."""
        misjudged = [
            id for (id,) in self._connection.execute(_MISJUDGED, (json.dumps(sorted(runs)),))
        ]
        if not misjudged:
            return
        earlier = (json.dumps([id for id in misjudged if id <= last]),)
        where = "id IN (SELECT value FROM json_each(?))"
        roll_sums(self._connection, "-", where, earlier)
        self._connection.execute(_JUDGE, (json.dumps(misjudged),))
        roll_sums(self._connection, "+", where, earlier)


_RUN_AT: Final = rows.COLUMNS.index("run")
