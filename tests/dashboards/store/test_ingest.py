"""Telemetry into the store: over HTTP as exporters send it, whole or not at all, each call once."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from decimal import Decimal
from itertools import count
from random import Random

import pytest
import requests
from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from farthing_dashboards.otlp import TRACES, decode
from farthing_dashboards.receiver import Receiver
from farthing_dashboards.store import Store, StoreError, payload
from farthing_dashboards.store.schema import to_usd
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import call, request_of, run
from tests.dashboards.store.recomputing import rows

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def json_of(request) -> bytes:
    """OTLP/JSON: ids are hex, and not base64."""
    whole = json_format.MessageToDict(request)
    for group, sent in zip(whole["resourceSpans"], request.resource_spans, strict=True):
        for scoped, scope in zip(group["scopeSpans"], sent.scope_spans, strict=True):
            for one, wire in zip(scoped["spans"], scope.spans, strict=True):
                for name, value in {
                    "traceId": wire.trace_id,
                    "spanId": wire.span_id,
                    "parentSpanId": wire.parent_span_id,
                }.items():
                    one[name] = value.hex()
    return json.dumps(whole).encode()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_request_over_http(store, encoding, packed):
    spans = run(Random(1), outcome="failed")
    request = request_of(spans)
    body = request.SerializeToString() if encoding == "protobuf" else json_of(request)
    headers = {"Content-Type": f"application/{'x-' * (encoding == 'protobuf')}{encoding}"}
    if packed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    with Receiver(store) as receiver:
        for _ in range(2):  # a retry, whose first answer was lost
            assert requests.post(f"{receiver.url}/v1/traces", body, headers=headers, timeout=10).ok
    expected = sum(
        (Decimal(repr(one.attributes.get(names.COST_AMOUNT, 0))) for one in spans), Decimal(0)
    )
    ((calls, cost, wasted),) = rows(
        store, "SELECT sum(calls), sum(cost), sum(waste_workflow_failed) FROM hour_sums"
    )
    assert calls == 5
    assert abs(to_usd(cost) - expected) < Decimal("1e-11")
    assert wasted == cost
    assert dict(rows(store, "SELECT name, value FROM meta")) == {
        "spans": 11,
        "calls": 5,
        "first": min(one.start_ns for one in spans),
        "last": max(one.end_ns for one in spans),
    }
    chunks = rows(store, "SELECT payload FROM chunks WHERE signal = 'spans'")
    assert len(chunks) == 1
    found = payload.spans(chunk for (chunk,) in chunks)
    assert sorted(found, key=lambda one: one.span_id) == sorted(
        decode(TRACES, request.SerializeToString()), key=lambda one: one.span_id
    )


def test_the_release_of_a_price_table_is_told_by_its_age(store):
    with Receiver(store) as receiver:
        provider = MeterProvider(
            [PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.url}/v1/metrics"))]
        )
        gauge = provider.get_meter(names.SCOPE).create_gauge("farthing.prices.age", "s")
        gauge.set(86_400.0, {names.COST_PRICES: "genai-prices 0.2.3"})
        provider.force_flush()
        store([call(Random(20))])
        provider.shutdown()
    ((name, released),) = rows(store, "SELECT name, released FROM tables")
    ((at,),) = rows(store, "SELECT max(at) FROM chunks WHERE signal = 'points'")
    assert name == "genai-prices 0.2.3"
    assert abs(at - released - 86_400 * 10**9) < 60 * 10**9
    assert rows(store, "SELECT count(*) FROM groups JOIN tables ON tables.name = prices") == [(1,)]


def test_logs_are_kept_with_their_trace(store):
    with Receiver(store) as receiver:
        tracing = TracerProvider(resource=Resource({"service.name": "shop"}))
        tracing.add_span_processor(
            SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.url}/v1/traces"))
        )
        logging = LoggerProvider()
        logging.add_log_record_processor(
            SimpleLogRecordProcessor(OTLPLogExporter(f"{receiver.url}/v1/logs"))
        )
        logger = logging.get_logger("app")
        with tracing.get_tracer("app").start_as_current_span("work") as around:
            logger.emit(body={"text": "within", "raw": b"\0"}, event_name="farthing.step_cost")
        logger.emit(body="outside")
        logging.shutdown()
        tracing.shutdown()
    trace_id = around.get_span_context().trace_id.to_bytes(16, "big")
    found = dict(rows(store, "SELECT signal || (trace_id IS NULL), payload FROM chunks"))
    (within,), (outside,) = payload.logs([found["logs0"]]), payload.logs([found["logs1"]])
    assert (within.body["text"], within.event_name) == ("within", "farthing.step_cost")
    assert outside.body == "outside"
    assert payload.spans([found["spans0"]])[0].resource["service.name"] == "shop"
    assert set(rows(store, "SELECT trace_id FROM chunks")) == {(trace_id,), (None,)}


def test_a_full_disk_takes_in_nothing_and_a_retry_all(store, caplog):
    one, other = request_of(run(Random(21))), request_of(run(Random(22), calls=400))
    connection = store._connection
    with Receiver(store) as receiver:

        def send(request):
            body = request.SerializeToString()
            return requests.post(f"{receiver.url}/v1/traces", body, headers=PROTOBUF, timeout=10)

        assert send(one).status_code == 200
        before = rows(store, "SELECT * FROM hour_sums"), rows(store, "SELECT * FROM groups")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        answer = send(other)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert "There is no room" in caplog.text
        assert (rows(store, "SELECT * FROM hour_sums"), rows(store, "SELECT * FROM groups")) == (
            before
        )
        connection.execute("PRAGMA max_page_count = 1000000")
        assert send(other).status_code == 200
        assert send(other).status_code == 200
    assert rows(store, "SELECT sum(calls) FROM hour_sums") == [(405,)]


def test_a_group_that_was_rolled_back_is_made_again(store):
    connection = store._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    spans = run(Random(23), calls=300)
    with pytest.raises(StoreError, match="no room"):
        store(spans)
    connection.execute("PRAGMA max_page_count = 1000000")
    store(spans)
    assert rows(store, "SELECT count(*) FROM calls JOIN groups ON groups.id = group_id") == [(300,)]


def test_a_closed_store_takes_in_nothing(tmp_path):
    store = Store(tmp_path / "store.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store([])


def test_readers_see_one_moment_while_telemetry_comes_in(store):
    random, stop, more = Random(24), threading.Event(), threading.Semaphore(0)

    def ingest():
        while not stop.is_set():
            store(run(random))
            more.release()

    writer = threading.Thread(target=ingest)
    writer.start()
    try:
        seen = []
        for _ in range(20):
            assert more.acquire(timeout=60)
            with store.reading() as connection:
                totals = [
                    connection.execute(f"SELECT {sql}").fetchone()[0]
                    for sql in (
                        "value FROM meta WHERE name = 'calls'",
                        "count(*) FROM calls",
                        "sum(calls) FROM minute_sums",
                        "sum(calls) FROM hour_sums",
                        "sum(calls) FROM hour_times WHERE what = 'duration'",
                        "5 * count(*) FROM runs",
                    )
                ]
            assert len(set(totals)) == 1
            seen.append(totals[0])
    finally:
        stop.set()
        writer.join()
    assert seen[-1] > seen[0]
    with store.reading() as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM calls")


def test_a_reader_sees_the_moment_at_which_it_began(store):
    random, sql = Random(26), "SELECT sum(calls) FROM hour_sums"
    store(run(random))
    with store.reading() as earlier:
        store(run(random))
        with store.reading() as later:
            assert later.execute(sql).fetchone() == (10,)
        assert earlier.execute(sql).fetchone() == (5,)


def test_a_commit_waits_for_the_disk(store):
    """What a power cut leaves cannot be shown by a test; that SQLite is told to wait for it can
    (https://www.sqlite.org/pragma.html#pragma_synchronous: 2 is FULL)."""
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


WRITING = """
import sys
from pathlib import Path
from random import Random
from farthing_dashboards.store import Store
from tests.dashboards.store.agent_spans import run
random = Random(int(sys.argv[2]))
with Store(Path(sys.argv[1]), keep_days=36500) as store:
    for turn in range(40):
        who = {"farthing.step.name": f"step {turn}"}
        store(run(random, who=who, outcome="failed" if turn % 3 == 0 else "success"))
"""


def test_two_processes_write_the_same_file(store):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(store.path), str(seed)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    random = Random(3)
    for turn in range(20):
        store(run(random, who={names.STEP_NAME: f"step {turn}"}))
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert rows(store, "SELECT sum(calls) FROM hour_sums") == [(500,)]
    assert rows(store, "SELECT count(*), count(DISTINCT id) FROM groups") == [(40, 40)]
    assert rows(store, "SELECT value FROM meta WHERE name = 'spans'") == [(1100,)]


def test_more_groups_than_are_remembered(store, monkeypatch):
    monkeypatch.setattr("farthing_dashboards.store.ingest.KNOWN", 3)
    steps = [f"step {number}" for number in (*range(10), *range(10))]
    numbers = count(100)
    store([call(Random(next(numbers)), {names.STEP_NAME: step}) for step in steps])
    found = rows(
        store, "SELECT step, calls FROM hour_sums JOIN groups ON groups.id = group_id ORDER BY step"
    )
    assert found == [(f"step {number}", 2) for number in range(10)]


def test_closing_leaves_one_file(tmp_path):
    path = tmp_path / "store.db"
    with Store(path, keep_days=36500) as store:
        store(run(Random(25)))
        assert len(list(tmp_path.iterdir())) > 1
    assert [found.name for found in tmp_path.iterdir()] == ["store.db"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (5,)
