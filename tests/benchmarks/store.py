"""What the store takes in: spans over HTTP through the receiver, as an exporter sends them."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from farthing_dashboards.receiver import Receiver
from farthing_dashboards.store import Store
from tests.dashboards.store.agent_spans import SECOND, START_NS, request_of, run

BATCH = 512
"""Spans of a request: what the SDK's batch processor sends."""
SPANS = 30_000
HEADERS = {"Content-Type": "application/x-protobuf"}


def figures() -> Iterator[tuple[str, str, str]]:
    """(what, measured, target)."""
    bodies = requests(SPANS)
    wall, processor = taken_in(bodies, senders=1)
    yield "spans a second into the store", f"{wall:,.0f}", "5,000"
    yield "  a second of processor time, the sender's too", f"{processor:,.0f}", ""
    wall, _ = taken_in(bodies, senders=4)
    yield "  from four senders at once", f"{wall:,.0f}", ""


def requests(spans: int) -> Sequence[bytes]:
    """Bodies with so many spans in all: of runs with five calls, half of them HTTP requests."""
    random = Random(0)
    sent = []
    while len(sent) < spans:
        sent += run(random, start_ns=START_NS + len(sent) * SECOND // 10)
    return [
        request_of(sent[at : at + BATCH]).SerializeToString()
        for at in range(0, spans - BATCH + 1, BATCH)
    ]


def taken_in(bodies: Sequence[bytes], senders: int) -> tuple[float, float]:
    """Spans a second, from first request to last answer: of the clock, and of this process, which
    the senders are in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Store(path) as store, Receiver(store) as receiver:
            threads = [
                threading.Thread(target=_send, args=(receiver.url, bodies[index::senders]))
                for index in range(senders)
            ]
            start, start_own = time.perf_counter(), time.process_time()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took, own = time.perf_counter() - start, time.process_time() - start_own
            with store.reading() as connection:
                (there,) = connection.execute(
                    "SELECT value FROM meta WHERE name = 'spans'"
                ).fetchone()
    if there != len(bodies) * BATCH:
        raise RuntimeError(f"{there} spans are there of {len(bodies) * BATCH}.")
    return there / took, there / own


def _send(url: str, bodies: Sequence[bytes]) -> None:
    address = urlsplit(url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port)) as connection:
        for body in bodies:
            connection.request("POST", "/v1/traces", body, HEADERS)
            connection.getresponse().read()


if __name__ == "__main__":
    for figure in figures():
        print(*figure)
