"""Start and stop processes, and identify them later. A pid alone is not enough, because systems reuse it."""

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
    """Start a server in its own session, so that Ctrl-C reaches only the process that controls it.

    Pass secrets in the environment, because every user can read a command line. The environment is this process's with
    `changes`, or only the variables of `only`. The server's files and log are readable by their owner only.
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
    """The pid and start time, which identify a process."""
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


def find(known: dict[str, Any] | None) -> psutil.Process | None:
    """The process with this `identity`, if it still runs."""
    if not known:
        return None
    try:
        process = psutil.Process(int(known["pid"]))
        same = abs(process.create_time() - known["started"]) < START_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def collect(pid: int) -> None:
    """Reap a child that has ended. Until then it stays in the process table as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def running_from(folder: Path) -> list[psutil.Process]:
    """Processes whose program is in the folder: function workers, even if their parent has ended."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(part.startswith(f"{folder}/") for part in process.cmdline()[1:2]):
                found.append(process)
    return found


def stop(processes: Iterable[psutil.Process], grace_seconds: float = 5.0, how: int = signal.SIGTERM) -> None:
    """Send the signal to each, wait up to `grace_seconds` for all, then kill the rest."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.send_signal(how)
    for process in _wait(asked, grace_seconds):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait(asked, grace_seconds)


def _wait(asked: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """The processes that still run after `seconds`. Zombies have ended: in a container, they may have no parent."""
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
    """Return when a server answers. On a timeout or interruption, stop it, because its pid is saved nowhere yet."""
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
    """Raise `InfraError` with the end of the log if the server has ended."""
    if process.poll() is not None:
        raise InfraError(f"{name} ended while starting (exit {process.returncode}). Its log, {log}, ends:\n{tail(log)}")
