"""Opening the store's file: made where there is none, refused where it is not ours to write.

Whatever is refused stays as it is, byte for byte: whose file it is, is read from its header before
SQLite touches it, and whether it is whole, through a connection that cannot write.
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from farthing_dashboards.store.schema import APPLICATION_ID, TABLES, VERSION

BUSY_SECONDS: Final = 5.0
"""How long a writer waits for another process's; exporters wait for ten seconds."""
CHECKED_BYTES: Final = 32 << 20
"""A file up to this size is checked whole when it is opened, in a tenth of a second or two."""
CACHE_KIB: Final = 64 << 10
_WAL_BYTES: Final = 64 << 20
"""What may stay of the write-ahead log after it was larger."""
_WAL_PAGES: Final = 4_000
"""How long it grows (16 MB): many requests change the same pages, which are then written once."""

_MAGIC: Final = b"SQLite format 3\x00"
_ELSEWHERE: Final = "give the path of another file, or move this one away"


class StoreError(Exception):
    """What is wrong with a store, in one sentence that says what to do."""


class _Header(NamedTuple):
    """What the first 100 bytes of a file say (https://www.sqlite.org/fileformat.html, 1.3)."""

    magic: bytes
    version: int
    application: int

    @classmethod
    def of(cls, head: bytes) -> _Header:
        return cls(
            head[:16], int.from_bytes(head[60:64], "big"), int.from_bytes(head[68:72], "big")
        )


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that writes, for any thread, one at a time. Makes folder and file.

    Raises StoreError, and has changed nothing then.
    """
    if _is_there(path):
        _check(path)
    else:
        _make(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = _connect(path, "mode=rw")
        for pragma in (
            "synchronous = FULL",  # what is acknowledged is on the disk, should the power fail
            f"journal_size_limit = {_WAL_BYTES}",
            f"wal_autocheckpoint = {_WAL_PAGES}",
            f"cache_size = -{CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("DELETE FROM meta WHERE 0")  # fails where the file may only be read
    except sqlite3.Error as fault:
        if connection is not None:
            connection.close()
        raise explained(path, fault) from fault
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for the thread that asks. Raises sqlite3.Error."""
    try:
        return _connect_to_read(path, "mode=ro")
    except sqlite3.OperationalError as fault:
        if _code(fault) not in _READ_ONLY:
            raise
        # In a folder that may not be written there is no room for the index of a log; where there
        # is no log either, the file alone is all there is.
        if _in_use(path):
            raise
        return _connect_to_read(path, _ALONE)


_ALONE: Final = "mode=ro&immutable=1"


def _in_use(path: Path) -> bool:
    """Whether a process has it open, or had when it was killed: it has a log then, or a journal."""
    return any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))


def check_readable(path: Path) -> None:
    """Raise StoreError unless ``path`` is a store that can be read."""
    if not _is_there(path):
        raise StoreError(
            f"There is no store at {path}: run a program with `farthing run` first, or give the"
            " path of the store."
        )
    _check(path)


def explained(path: Path, fault: sqlite3.Error) -> StoreError:
    """What SQLite says of the file at ``path``, and what to do about it."""
    code = _code(fault)
    for codes, sentence in _SENTENCES:
        if code in codes:
            return StoreError(sentence.format(path=path, folder=path.parent))
    return StoreError(f"The store {path} cannot be used ({fault}): {_ELSEWHERE}.")


def _code(fault: sqlite3.Error) -> int:
    """The primary result code (https://www.sqlite.org/rescode.html); 0 where Python has none."""
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF


_READ_ONLY: Final = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_DAMAGED: Final = (
    f"The store {{path}} is damaged: {_ELSEWHERE}; `sqlite3 {{path}} .recover` may save what is in"
    " it."
)
_SENTENCES: Final = (
    ({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, _DAMAGED),
    (
        {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED},
        "The store {path} is locked by another program: end that program, or give the path of"
        " another file.",
    ),
    (
        _READ_ONLY,
        "The store {path} cannot be written: let this user write the file and its folder {folder},"
        " or give another path.",
    ),
    (
        {sqlite3.SQLITE_FULL},
        "There is no room for the store {path}: free some space on the disk, or give a path on"
        " another one.",
    ),
)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as fault:
        raise _unreadable(path, fault) from fault


def _make(path: Path) -> None:
    """Make a store beside ``path``, and give it its name when it is whole: no other process sees
    half of it, and what is at ``path`` by then stays."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"The folder {path.parent} cannot be made ({fault.strerror}): give another path for the"
            f" store {path}."
        ) from fault
    try:
        with closing(_connect(beside, "mode=rwc")) as connection:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.executescript(
                f"BEGIN; {TABLES}; PRAGMA user_version = {VERSION};"
                f" PRAGMA application_id = {APPLICATION_ID}; COMMIT"
            )
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OSError(errno.ENOTSUP, mode)
        with suppress(FileExistsError):  # another process was faster
            os.link(beside, path)
    except sqlite3.Error as fault:
        raise explained(path, fault) from fault
    except OSError as fault:
        raise StoreError(
            f"The file system of {path} cannot hold a store: give a path on a local disk."
        ) from fault
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _check(path: Path) -> None:
    """Raise StoreError unless the file at ``path`` is a whole store of this version."""
    try:
        with path.open("rb") as file:
            header = _Header.of(file.read(100))
    except IsADirectoryError as fault:
        raise StoreError(f"{path} is a folder: give the path of a file in it.") from fault
    except OSError as fault:
        raise _unreadable(path, fault) from fault
    if header.magic != _MAGIC:
        raise StoreError(f"{path} is not a store: {_ELSEWHERE}.")
    if header.application != APPLICATION_ID:
        raise StoreError(f"{path} is the database of another program: {_ELSEWHERE}.")
    if header.version > VERSION:
        raise StoreError(
            f"The store {path} was written by a newer farthing (it has version {header.version},"
            f" and this one reads {VERSION}): upgrade farthing, or give the path of another file."
        )
    if not _in_use(path):
        # The file alone is all there is, and to read no more leaves nothing beside it.
        changed = path.stat().st_mtime_ns
        try:
            _check_whole(path, _ALONE)
            return
        except StoreError:
            if not _in_use(path) and path.stat().st_mtime_ns == changed:
                raise  # nobody opened it meanwhile, in whose midst it was read
    _check_whole(path, "mode=ro")


def _check_whole(path: Path, query: str) -> None:
    try:
        with closing(_connect_to_read(path, query)) as connection:
            if not _is_whole(connection, path.stat().st_size):
                raise StoreError(_DAMAGED.format(path=path))
    except sqlite3.Error as fault:
        raise explained(path, fault) from fault


def _is_whole(connection: sqlite3.Connection, size: int) -> bool:
    """Of a large file, whether it has all tables, and they can be read at both ends."""
    if size <= CHECKED_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchall()
        if found != [("ok",)]:
            return False
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not _names() <= there:
        return False
    for table in _names():
        for order in ("", "DESC"):
            connection.execute(f"SELECT * FROM {table} ORDER BY 1 {order} LIMIT 1").fetchall()
    return True


def _names() -> set[str]:
    """The names of all tables."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in found}


def _connect(path: Path, query: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _connect_to_read(path: Path, query: str) -> sqlite3.Connection:
    connection = _connect(path, query)
    try:
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _unreadable(path: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"The store {path} cannot be read ({fault.strerror}): let this user read it, or give"
        " another path."
    )
