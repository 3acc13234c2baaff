"""Start processes, and recognise our own again: a pid alone may belong to somebody else by now."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from infra.environment import environment
from infra.errors import InfraError
from infra.machine.rotation import open_private

START_TOLERANCE_SECONDS = 2.0


def spawn(
    command: Sequence[str | Path], log: Path, only: Mapping[str, str] | None = None, **changes: str
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that Ctrl-C reaches the supervisor alone.

    Every user can read a command line, so secrets belong into the environment: this process's with `changes`, or
    `only` the variables given. What the server writes to files is for their owner alone, as is its log.
    """
    with open_private(log) as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(**changes) if only is None else dict(only),
            umask=0o077,
        )


def identity(pid: int) -> dict[str, float]:
    """What tells this process from a later one with the same pid."""
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


def find(known: dict[str, Any] | None) -> psutil.Process | None:
    """The process that `identity` described, if it still runs."""
    if not known:
        return None
    try:
        process = psutil.Process(int(known["pid"]))
        same = abs(process.create_time() - known["started"]) < START_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def collect(pid: int) -> None:
    """Take note of an end if this is our child: until its parent does, a process stays in the table as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def running_from(folder: Path) -> list[psutil.Process]:
    """Processes whose program lies in the folder: function workers, wherever their parent went."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(part.startswith(f"{folder}/") for part in process.cmdline()[1:2]):
                found.append(process)
    return found


def stop(processes: Iterable[psutil.Process], grace_seconds: float = 5.0, how: int = signal.SIGTERM) -> None:
    """Ask each to end, wait for all of them together, then insist."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.send_signal(how)
    for process in _wait(asked, grace_seconds):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait(asked, grace_seconds)


def _wait(asked: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that are left after so long. A zombie has ended: in a container there may be nobody who collects it."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in asked if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end(process: subprocess.Popen[bytes] | None, how: int = signal.SIGTERM) -> None:
    """Stop a child of this process, if there is one."""
    if process and process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            stop([psutil.Process(process.pid)], how=how)
        process.wait()


def end_group(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """Stop a child with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    process.wait()


def tail(log: Path, lines: int = 12) -> str:
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return ""


def await_answer(
    process: subprocess.Popen[bytes], name: str, log: Path, seconds: float, answers: Callable[[], bool]
) -> None:
    """Return when a server answers. One that does not in time is ended, as is one whose start is interrupted: it is
    written down nowhere yet, so nobody else could."""
    deadline = time.monotonic() + seconds
    try:
        while not answers():
            _must_live(process, name, log)
            if time.monotonic() > deadline:
                raise InfraError(f"{name} did not answer in {seconds} s. See {log}.")
            time.sleep(0.02)
    except BaseException:
        end(process)
        raise


def _must_live(process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    """Raise with the end of its log when a server that should be starting has ended."""
    if process.poll() is not None:
        raise InfraError(f"{name} ended while starting (exit {process.returncode}). Its log, {log}, ends:\n{tail(log)}")
