"""The store: a file that takes in telemetry, and that others read at the same time.

with Store(path) as store, Receiver(store):
    ...
    with store.reading() as connection:
        connection.execute("SELECT …")
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from farthing_dashboards.otlp import Record
from farthing_dashboards.store import opening, retention
from farthing_dashboards.store.ingest import Writer, batch_of
from farthing_dashboards.store.opening import StoreError, explained
from farthing_dashboards.store.retention import Limits

KEEP_DAYS: Final = 30.0
MAX_BYTES: Final = 2 * 1024**3

TIDY_SECONDS: Final = 10.0
"""How often a store that takes in telemetry looks for what is to go."""
OPENING_SECONDS: Final = 1.0
"""How long it does so when it is opened; what is left goes between requests."""

_log = logging.getLogger(__name__)


class ReadStore:
    """A store that is there, to be read. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection that cannot write, in one transaction: all queries see the same moment,
        whatever comes in meanwhile. Raises StoreError where the file cannot be read any more."""
        try:
            connection = opening.open_to_read(self.path)
        except sqlite3.Error as fault:
            raise explained(self.path, fault) from fault
        try:
            connection.execute("BEGIN")
            connection.execute(
                "SELECT 1 FROM meta"
            ).fetchone()  # the moment is that of a first read
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing stays open between readings."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Store(ReadStore):
    """A store that takes in telemetry: a `receiver.Sink`. Thread-safe, and several processes may
    write one file.

    ``keep_days`` is how long things stay, ``max_bytes`` how large the file may be before the oldest
    go sooner. Makes folder and file; raises StoreError, and leaves what is there as it is.
    """

    def __init__(
        self, path: Path, *, keep_days: float = KEEP_DAYS, max_bytes: int = MAX_BYTES
    ) -> None:
        super().__init__(path)
        self._limits = Limits(keep_days, max_bytes)
        self._lock = threading.Lock()
        self._connection = opening.open_for_writing(path)
        self._writer = Writer(self._connection)
        self._closed = False
        self._said = False
        self._tidy_at = 0.0
        end = time.monotonic() + OPENING_SECONDS
        with self._lock:
            while self._tidy() and time.monotonic() < end:
                pass

    def __call__(self, records: Sequence[Record], /) -> None:
        """Take in the records of one request: when this returns they are on the disk, and when it
        raises StoreError none of them is."""
        batch = batch_of(records, time.time_ns())
        with self._lock:
            if self._closed:
                raise StoreError(f"The store {self.path} is closed: open it again.")
            try:
                with self._transaction():
                    self._writer.write(batch)
            except sqlite3.Error as fault:
                raise explained(self.path, fault) from fault
            if time.monotonic() >= self._tidy_at:
                self._tidy()

    def close(self) -> None:
        """Bring everything into the one file; safe to repeat."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with suppress(sqlite3.Error):  # another process has it open, and will do it
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """All of it, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._writer.forget()
            with suppress(sqlite3.Error):  # some errors have rolled back by themselves
                self._connection.execute("ROLLBACK")
            raise

    def _tidy(self) -> bool:
        """Do a piece of what retention asks for; whether there is more."""
        try:
            with self._transaction():
                done = retention.step(self._connection, self._limits, time.time_ns())
            more = retention.give_back(self._connection) or done.more
        except sqlite3.Error:  # what is taken in is safe, and the next time is near
            _log.warning("The store %s could not be tidied.", self.path, exc_info=True)
            more = False
        else:
            self._say_if_too_large(done.over)
        self._tidy_at = time.monotonic() + (0.0 if more else TIDY_SECONDS)
        return more

    def _say_if_too_large(self, over: int) -> None:
        if over > 0 and not self._said:
            self._said = True
            _log.warning(
                "The store %s is larger than its limit of %.1f MB, and keeps what happened in the"
                " last hour all the same: give it a higher limit, or send it less.",
                self.path,
                self._limits.max_bytes / 2**20,
            )


def open_for_reading(path: Path) -> ReadStore:
    """The store at ``path``, which must be there. Raises StoreError if there is none, or if it
    cannot be read."""
    opening.check_readable(path)
    return ReadStore(path)
