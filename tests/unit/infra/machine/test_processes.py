"""A server that does not come up leaves nothing running."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.errors import InfraError
from infra.machine import processes


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    started = processes.spawn(
        [sys.executable, "-c", "print('at work'); import time; time.sleep(600)"], tmp_path / "log"
    )
    yield started
    processes.end(started)


def test_a_server_that_does_not_answer_in_time_is_ended(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="Mute did not answer in 0 s"):
        processes.await_answer(server, "Mute", tmp_path / "log", 0, lambda: False)
    assert not psutil.pid_exists(server.pid)


def test_a_server_interrupted_at_its_start_is_stopped(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processes.await_answer(server, "Slow", tmp_path / "log", 60, interrupted)
    assert not psutil.pid_exists(server.pid)


def test_a_server_that_exits_is_reported_with_its_log(tmp_path: Path) -> None:
    server = processes.spawn([sys.executable, "-c", "raise SystemExit('no such folder')"], tmp_path / "log")
    server.wait()
    with pytest.raises(InfraError, match=r"(?s)exit 1.*no such folder"):
        processes.await_answer(server, "Broken", tmp_path / "log", 60, lambda: False)
