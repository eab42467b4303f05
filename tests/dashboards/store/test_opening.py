"""Opening a store: made where nothing is, refused in one sentence where something else is."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from farthing_dashboards.store import Store, StoreError, open_for_reading, opening
from farthing_dashboards.store.schema import VERSION
from tests.dashboards.store.agent_spans import run

NOBODY = 65534


def filled(path: Path) -> Path:
    """A store with something in it, closed."""
    with Store(path, keep_days=36500) as store:
        store(run(Random(1), calls=40))
    return path


def refused(path: Path, open_=Store) -> str:
    """What opening says; the file and its neighbours must be the same after it."""
    before = state(path.parent)
    with pytest.raises(StoreError) as raised:
        open_(path)
    assert state(path.parent) == before
    sentence = str(raised.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def state(folder: Path) -> dict[str, bytes | None]:
    return {p.name: p.read_bytes() if p.is_file() else None for p in folder.iterdir()}


def test_folder_and_file_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "100% mine?#.db"
    filled(path)
    with Store(path, keep_days=36500) as store, store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (40,)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("open_", [Store, open_for_reading])
class TestRefused:
    def test_a_text_file(self, tmp_path, open_):
        path = tmp_path / "notes.txt"
        path.write_text("Buy milk.\n" * 100)
        assert "is not a store" in refused(path, open_)

    def test_an_empty_file(self, tmp_path, open_):
        (tmp_path / "empty").touch()
        assert "is not a store" in refused(tmp_path / "empty", open_)

    def test_another_programs_database(self, tmp_path, open_):
        path = tmp_path / "theirs.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE calls (id)")
        assert "another program" in refused(path, open_)

    def test_a_newer_store(self, tmp_path, open_):
        path = filled(tmp_path / "store.db")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert "upgrade farthing" in refused(path, open_)

    @pytest.mark.parametrize("where", [100, 4096, 10 * 4096, -4096])
    def test_a_damaged_store(self, tmp_path, open_, where):
        path = filled(tmp_path / "store.db")
        data = bytearray(path.read_bytes())
        where %= len(data)
        data[where : where + 1_000] = Random(where).randbytes(1_000)
        path.write_bytes(data)
        assert "damaged" in refused(path, open_)

    def test_a_large_damaged_store(self, tmp_path, open_, monkeypatch):
        path = filled(tmp_path / "store.db")
        path.write_bytes(path.read_bytes()[:-40_000])
        monkeypatch.setattr(opening, "CHECKED_BYTES", 0)
        assert "damaged" in refused(path, open_)

    def test_a_store_that_is_cut_off(self, tmp_path, open_):
        path = filled(tmp_path / "store.db")
        path.write_bytes(path.read_bytes()[:5_000])
        assert "damaged" in refused(path, open_)

    def test_one_without_a_table(self, tmp_path, open_, monkeypatch):
        path = filled(tmp_path / "store.db")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE runs")
        monkeypatch.setattr(opening, "CHECKED_BYTES", 0)
        assert "damaged" in refused(path, open_)

    def test_a_folder(self, tmp_path, open_):
        path = tmp_path / "folder"
        path.mkdir()
        assert "is a folder" in refused(path, open_)

    def test_a_locked_store(self, tmp_path, open_, monkeypatch):
        monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
        path = filled(tmp_path / "store.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            other.execute("DELETE FROM meta WHERE 0")
            assert "locked by another program" in refused(path, open_)


def test_a_store_to_read_must_be_there(tmp_path):
    assert "farthing run" in refused(tmp_path / "none.db", open_for_reading)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be made"):
        Store(tmp_path / "file" / "below" / "store.db")


AS_NOBODY = f"""
import os, sys
from pathlib import Path
from farthing_dashboards.store import Store, StoreError, open_for_reading
if os.geteuid() == 0:  # whom no permission stops
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
try:
    with open_for_reading(Path(sys.argv[1])) as store, store.reading() as connection:
        print(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
except StoreError as error:
    print(error)
try:
    Store(Path(sys.argv[1])).close()
except StoreError as error:
    print(error)
"""


def as_nobody(path: Path) -> list[str]:
    """What a user without any rights is told of reading, and of writing."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def public():
    """A folder that everybody can go into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_file_and_a_folder_that_may_only_be_read(public):
    path = filled(public / "store.db")
    path.chmod(0o444)
    public.chmod(0o555)
    before = state(public)
    assert as_nobody(path) == [
        "40",
        f"The store {path} cannot be written: let this user write the file and its folder"
        f" {public}, or give another path.",
    ]
    assert state(public) == before


def test_a_file_that_may_only_be_read_in_a_folder_that_may_be_written(public):
    path = filled(public / "store.db")
    path.chmod(0o444)
    public.chmod(0o777)
    read, written = as_nobody(path)
    assert read == "40"
    assert "cannot be written" in written


def test_a_file_that_may_not_be_read(public):
    path = filled(public / "store.db")
    path.chmod(0o000)
    read, written = as_nobody(path)
    assert "cannot be read" in read
    assert read == written


def test_a_new_file_in_a_folder_that_may_only_be_read(public):
    public.chmod(0o555)
    read, written = as_nobody(public / "store.db")
    assert "There is no store" in read
    assert "cannot be written" in written
    assert not list(public.iterdir())


def test_a_store_that_another_process_makes_meanwhile_stays(tmp_path, monkeypatch):
    path, is_there = tmp_path / "store.db", opening._is_there

    def faster(asked: Path) -> bool:
        found = is_there(asked)
        monkeypatch.undo()
        filled(path)
        return found

    monkeypatch.setattr(opening, "_is_there", faster)
    with Store(path, keep_days=36500) as store, store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (40,)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_several_processes_may_make_the_same_store_at_once(tmp_path):
    script = (
        "import sys; from pathlib import Path; from farthing_dashboards.store import Store;"
        "sys.stdin.readline(); Store(Path(sys.argv[1])).close()"
    )
    path = tmp_path / "store.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    filled(path)
