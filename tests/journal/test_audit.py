"""The audit log: a chain that shows what was done to it, and that no crash or full disk breaks."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from edge_agent.journal import Audit, audit_entries, audit_faults, audit_page
from edge_agent.journal.audit import closed_files


def write(folder: Path, n: int, start: int = 0, **options: int) -> Audit:
    audit = Audit(folder, **options)
    for number in range(start, start + n):
        assert audit.note({"step": "asked", "id": f"c-{number}", "device": "press-1", "value": number}, False) == ""
    return audit


def ids(folder: Path) -> list[object]:
    return [entry["id"] for entry in audit_entries(folder) if "id" in entry]


def names(n: int, start: int = 0) -> list[object]:
    return [f"c-{number}" for number in range(start, start + n)]


def test_every_line_is_there_numbered_and_chained_and_for_the_owner_only(tmp_path: Path) -> None:
    write(tmp_path, 20).close()
    assert ids(tmp_path) == names(20)
    assert [entry["n"] for entry in audit_entries(tmp_path)] == list(range(1, 21))
    assert audit_faults(tmp_path) == []
    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, 3).close()
    (tmp_path / "audit.log").chmod(0o644)
    write(tmp_path, 3, 3).close()
    assert ids(tmp_path) == names(6)
    assert audit_faults(tmp_path) == []
    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600


def test_the_chain_goes_on_across_files_and_the_oldest_go(tmp_path: Path) -> None:
    write(tmp_path, 100, max_bytes=2000, files=4).close()
    write(tmp_path, 100, 100, max_bytes=2000, files=4).close()
    assert len(closed_files(tmp_path)) == 3
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    kept = ids(tmp_path)
    assert kept == names(len(kept), 200 - len(kept))
    assert len(kept) > 20
    assert audit_faults(tmp_path) == []


def test_a_crash_between_two_files_goes_on_from_the_older(tmp_path: Path) -> None:
    write(tmp_path, 10).close()
    (tmp_path / "audit.log").rename(tmp_path / "audit.000000000010.log")
    write(tmp_path, 2, 10).close()
    assert ids(tmp_path) == names(12)
    assert audit_faults(tmp_path) == []


@pytest.mark.parametrize("torn", [b"{", b'{"n":4,"step":"asked"}', b"\0" * 5000, b"\xff"])
def test_a_torn_last_line_is_cut_off_and_said_to_be(tmp_path: Path, torn: bytes) -> None:
    write(tmp_path, 3).close()
    with (tmp_path / "audit.log").open("ab") as file:
        file.write(torn)
    assert ids(tmp_path) == names(3)
    write(tmp_path, 1, 3).close()
    assert [entry["step"] for entry in audit_entries(tmp_path)] == ["asked", "asked", "asked", "cut", "asked"]
    assert audit_faults(tmp_path) == []


def changed(lines: list[bytes]) -> None:
    lines[4] = lines[4].replace(b'"value":4', b'"value":9')


def removed(lines: list[bytes]) -> None:
    del lines[4]


def added(lines: list[bytes]) -> None:
    lines.insert(4, lines[4])


def swapped(lines: list[bytes]) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def emptied(lines: list[bytes]) -> None:
    lines[4] = b"nothing"


def first_removed(lines: list[bytes]) -> None:
    lines[0] = lines[0].replace(b'"n":1,', b'"n":1,"note":"x",')


@pytest.mark.parametrize("tamper", [changed, removed, added, swapped, emptied, first_removed])
def test_whatever_is_done_to_a_line_shows(tmp_path: Path, tamper: Callable[[list[bytes]], None]) -> None:
    write(tmp_path, 10).close()
    path = tmp_path / "audit.log"
    lines = path.read_bytes().splitlines()
    tamper(lines)
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert audit_faults(tmp_path)
    write(tmp_path, 1, 10).close()
    assert audit_faults(tmp_path)


def test_a_file_that_is_gone_from_the_middle_shows(tmp_path: Path) -> None:
    write(tmp_path, 60, max_bytes=2000).close()
    closed_files(tmp_path)[1].unlink()
    assert any("lines are gone" in fault for fault in audit_faults(tmp_path))


def test_a_log_of_which_no_line_can_be_read_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(b"rubbish\nmore\n")
    write(tmp_path, 2).close()
    assert ids(tmp_path) == names(2)
    assert len(audit_faults(tmp_path)) == 2


@contextmanager
def full_at(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_is_said_and_leaves_no_part_of_a_line(tmp_path: Path, room: int) -> None:
    audit = write(tmp_path, 5)
    size = (tmp_path / "audit.log").stat().st_size
    with full_at(size + room):
        assert audit.note({"step": "asked", "id": "lost"}, False) != ""
        assert audit.note({"step": "done", "id": "owed"}, True) != ""
        assert (tmp_path / "audit.log").stat().st_size == size
    assert audit.note({"step": "asked", "id": "next"}, False) == ""
    audit.close()
    assert ids(tmp_path) == [*names(5), "owed", "next"]
    assert audit_faults(tmp_path) == []


def test_a_folder_that_is_gone_or_a_link_in_the_logs_place_is_an_answer_not_an_exception(tmp_path: Path) -> None:
    assert "No such file" in Audit(tmp_path / "gone").note({"step": "asked"}, False)
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")
    assert Audit(tmp_path).note({"step": "asked"}, False) != ""
    assert (tmp_path / "elsewhere").read_bytes() == b""


WRITER = """
import sys
from pathlib import Path
from edge_agent.journal import Audit
audit = Audit(Path(sys.argv[1]), max_bytes=20_000)
n = int(sys.argv[2])
while True:
    assert audit.note({"step": "asked", "id": str(n)}, False) == ""
    print(n, flush=True)
    n += 1
"""


def test_a_kill_at_any_moment_loses_no_line_that_was_noted(tmp_path: Path) -> None:
    noted: list[str] = []
    for turn in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(1000 * turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            noted += [process.stdout.readline().decode().strip() for _ in range(20 + turn)]
            os.kill(process.pid, signal.SIGKILL)
            noted += process.stdout.read().decode().split()
    assert audit_faults(tmp_path) == []
    assert set(noted) <= {str(entry["id"]) for entry in audit_entries(tmp_path) if "id" in entry}


def test_a_line_is_json_that_anyone_can_read(tmp_path: Path) -> None:
    write(tmp_path, 1).close()
    assert orjson.loads((tmp_path / "audit.log").read_bytes())["value"] == 0


def test_a_page_of_a_long_log_is_read_from_its_newest_line_on(tmp_path: Path) -> None:
    assert audit_page(tmp_path, 0, 10) == (0, [])
    audit = Audit(tmp_path, max_bytes=1000, files=3)
    for n in range(40):
        audit.note({"step": "asked", "id": f"c{n}"}, keep=False)
    audit.close()
    whole = list(audit_entries(tmp_path))
    assert 1 < len(whole) < 40      # the oldest files have gone
    for offset in (0, 1, 5, len(whole) - 1, len(whole), 100):
        for limit in (1, 7, 100):
            expected = whole[::-1][offset : offset + limit]
            assert audit_page(tmp_path, offset, limit) == (len(whole), expected), (offset, limit)
