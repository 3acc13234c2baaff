"""Keep a started local cloud running until it is stopped."""

import signal
import threading
import time
from collections.abc import Callable

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from infra.environment import seconds
from infra.home import Home
from infra.local.cloud import FAILURES, LocalCloud
from infra.machine import ports, processes, rotation

INTERVAL_SECONDS = 0.25
# Long enough to watch how the functions behave without the server.
RESTART_AFTER_SECONDS = seconds("SWITCHBOARD_RESTART_AFTER_SECONDS", 10.0)
Report = Callable[[str], None]


def watch(home: Home, stopping: threading.Event, report: Report) -> None:
    """Invoke missing functions, and restart servers that ended."""
    running = LocalCloud(home, state=home.read_state())
    gone_since: dict[str, float] = {}
    with running.schedule as schedule:
        while not stopping.wait(INTERVAL_SECONDS):
            _revive(running, gone_since, report)
            for log in home.server_logs:
                rotation.truncate_large(log)
            try:
                schedule.wake_the_missing()
            except (psycopg.Error, BotoCoreError, ClientError):
                continue  # `_revive` restarts the server that does not answer


def _revive(running: LocalCloud, gone_since: dict[str, float], report: Report) -> None:
    now = time.monotonic()
    for name, identity in list(running.state["processes"].items()):
        processes.collect(identity["pid"])
        if processes.find(identity):
            gone_since.pop(name, None)
        elif name not in gone_since:
            gone_since[name] = now
            report(f"{name} has ended. It restarts in {RESTART_AFTER_SECONDS:.0f} s.")
        elif ports.answers(running.state["ports"][name]):
            gone_since[name] = now  # another process has started one there, such as a test
        elif now - gone_since[name] > RESTART_AFTER_SECONDS:
            gone_since[name] = now
            _try_restart(running, name, report)


def _try_restart(running: LocalCloud, name: str, report: Report) -> None:
    try:
        running.restart(name)
        report(f"{name} is running again.")
    except FAILURES as error:
        report(f"{name} does not start: {error}")


def stop_on_signals() -> threading.Event:
    """An event that Ctrl-C, `switchboard down` and a closed terminal set."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
