"""Log files stay small and private, and who follows one misses no line."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local import logs
from infra.machine import rotation
from infra.machine.rotation import RotatingLog, older_file, truncate_large

LIMIT = 1_000


Open = Callable[[Path], RotatingLog]


@pytest.fixture
def open_log() -> Iterator[Open]:
    """Opens small logs, and closes them after the test."""
    opened: list[RotatingLog] = []

    def open_one(path: Path) -> RotatingLog:
        opened.append(RotatingLog(path, LIMIT))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_log_is_three_small_private_files(tmp_path: Path, open_log: Open):
    path = tmp_path / "functions.log"
    path.touch(0o644)
    log = open_log(path)
    for number in range(500):
        log.write(f"switchboard-ingest\tline {number}\n")
    files = sorted(tmp_path.iterdir())
    assert files == [path, older_file(path, 1), older_file(path, 2)]
    assert all(file.stat().st_size <= LIMIT and mode(file) == 0o600 for file in files)
    kept = list(logs.read(path))
    assert kept == [f"switchboard-ingest\tline {number}" for number in range(500 - len(kept), 500)]
    assert len(kept) > 50


def test_a_reader_that_follows_gets_each_line_once(tmp_path: Path, open_log: Open):
    path, stopping, caught_up = tmp_path / "functions.log", threading.Event(), threading.Semaphore(0)
    log, lines = open_log(path), [f"line {number}" for number in range(400)]
    log.write(f"{lines[0]}\n")
    rows = logs.follow(path, stopping, from_start=True)
    seen = [next(rows)]

    def write() -> None:
        for number, line in enumerate(lines[1:], 1):
            log.write(f"{line[:3]}")
            log.write(f"{line[3:]}\n")
            if number % 60 == 0:  # more than one rotation may pass unseen, but no more than the files that are kept
                caught_up.acquire()

    writer = threading.Thread(target=write)
    writer.start()
    for row in rows:
        seen.append(row)
        if (len(seen) - 1) % 60 == 0:
            caught_up.release()
        if row == lines[-1]:
            break
    writer.join()
    rows.close()
    assert seen == lines
    assert older_file(path, 2).exists()


def test_a_reader_goes_on_after_a_restart(tmp_path: Path, open_log: Open):
    path, stopping = tmp_path / "functions.log", threading.Event()
    open_log(path).write("before\n")
    rows = logs.follow(path, stopping, from_start=True)
    assert next(rows) == "before"
    rotation.begin(path)
    open_log(path).write("after\n")
    assert next(rows) == "after"
    stopping.set()
    assert list(rows) == []


def test_a_reader_from_the_end_sees_only_new_lines(tmp_path: Path, open_log: Open):
    path = tmp_path / "functions.log"
    log = open_log(path)
    log.write("before\n")

    class Idle(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as the reader calls it
            log.write("after\n")
            return False

    rows = logs.follow(path, Idle())
    assert next(rows) == "after"
    rows.close()


def test_a_missing_log_is_reported(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        list(logs.read(tmp_path / "functions.log"))
    with pytest.raises(FileNotFoundError):
        next(logs.follow(tmp_path / "functions.log", threading.Event()))


def test_a_server_s_log_is_emptied_while_it_writes(tmp_path: Path):
    path = tmp_path / "redis.log"
    say = "import sys\nfor line in sys.stdin: print(line, end='', flush=True); print('.', file=sys.stderr, flush=True)"
    with rotation.open_private(path) as output:
        server = subprocess.Popen(
            [sys.executable, "-c", say], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE, text=True
        )
    assert server.stdin and server.stderr
    for number in range(4):
        server.stdin.write(f"{number}" * (LIMIT - 1) + "\n")
        server.stdin.flush()
        assert server.stderr.readline()  # it is written
        assert truncate_large(path, LIMIT)
        assert not truncate_large(path, LIMIT)
    server.communicate()
    files = [older_file(path, 2), older_file(path, 1), path]
    assert [(file.read_text()[:1], file.stat().st_size) for file in files] == [("2", LIMIT), ("3", LIMIT), ("", 0)]
    assert [mode(file) for file in files] == [0o600] * 3
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_log_that_is_not_there_is_no_failure(tmp_path: Path):
    assert not truncate_large(tmp_path / "watch.log", LIMIT)


def test_a_server_s_files_are_its_owner_s_alone(tmp_path: Path):
    from infra.machine import processes

    os.umask(before := os.umask(0o022))
    make = f"open({str(tmp_path / 'made')!r}, 'w'); import os; os.mkdir({str(tmp_path / 'folder')!r})"
    assert processes.spawn([sys.executable, "-c", make], tmp_path / "log").wait() == 0
    assert (mode(tmp_path / "made"), mode(tmp_path / "folder"), mode(tmp_path / "log")) == (0o600, 0o700, 0o600)
    assert os.umask(before) == before
