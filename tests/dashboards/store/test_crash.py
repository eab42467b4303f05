"""A store whose process is killed in the middle: what was acknowledged is there."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from farthing_dashboards.receiver import Receiver
from farthing_dashboards.store import Store, payload
from farthing_processor import semconv as names
from tests.dashboards.store.agent_spans import request_of, run
from tests.dashboards.store.recomputing import assert_agrees

RECEIVING = """
import sys
from pathlib import Path
from farthing_dashboards.receiver import Receiver
from farthing_dashboards.store import Store
with Store(Path(sys.argv[1]), keep_days=36500) as store, Receiver(store) as receiver:
    print(receiver.url, flush=True)
    sys.stdin.read()
"""
SENDERS = 3
ENOUGH = 25
"""Requests that are answered before the process is killed."""


def receiving(path: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVING, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_survives_a_kill(tmp_path, seed):
    path = tmp_path / "store.db"
    process, url = receiving(path)
    acknowledged, enough = [], threading.Semaphore(0)

    def send(random):
        session = requests.Session()
        try:
            while True:
                spans = run(random, calls=30, outcome=random.choice(("failed", "success")))
                body = request_of(spans).SerializeToString()
                headers = {"Content-Type": "application/x-protobuf"}
                answer = session.post(f"{url}/v1/traces", body, headers=headers, timeout=30)
                assert answer.ok
                acknowledged.append(spans)
                enough.release()
        except requests.ConnectionError:
            return

    senders = [threading.Thread(target=send, args=(Random(10 * seed + n),)) for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    for _ in range(ENOUGH):
        assert enough.acquire(timeout=60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for sender in senders:
        sender.join()

    sent = {span.span_id: span for spans in acknowledged for span in spans}
    calls = {id for id, span in sent.items() if names.COST_STATUS in span.attributes}
    with Store(path, keep_days=36500) as store, store.reading() as connection:
        assert_agrees(connection)
        there = {id.hex() for (id,) in connection.execute("SELECT span_id FROM calls")}
        chunks = [chunk for (chunk,) in connection.execute("SELECT payload FROM chunks")]
        (counted,) = connection.execute("SELECT value FROM meta WHERE name = 'calls'").fetchone()
    assert calls <= there
    assert sent.keys() <= {span.span_id for span in payload.spans(chunks)}
    # Of what was not answered, a request is there whole or not at all.
    assert counted == len(there)
    assert len(there) % 30 == 0
    assert 0 <= len(there) - len(calls) <= SENDERS * 30


def test_an_exporter_that_is_cut_off_loses_nothing_and_counts_nothing_twice(tmp_path):
    """The exporter tries again by itself until a new process listens at the same port."""
    path = tmp_path / "store.db"
    process, url = receiving(path)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    tracer = provider.get_tracer(names.SCOPE)

    def calls(number):
        for _ in range(number):
            attributes = {names.COST_STATUS: "priced", names.COST_AMOUNT: 0.25}
            tracer.start_span("chat", attributes=attributes).end()

    calls(5)
    process.kill()
    process.communicate()
    sender = threading.Thread(target=calls, args=(5,))
    sender.start()
    port = int(url.rpartition(":")[2])
    with Store(path, keep_days=36500) as store, Receiver(store, port=port):
        sender.join()
        provider.shutdown()
        with store.reading() as connection:
            assert_agrees(connection)
            assert connection.execute("SELECT sum(calls), sum(cost) FROM hour_sums").fetchone() == (
                10,
                2_500_000_000_000,
            )
