"""Keep a started cloud going until told to stop."""

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
# Long enough to see how the functions do without it.
RESTART_AFTER_SECONDS = seconds("SWITCHBOARD_RESTART_AFTER_SECONDS", 10.0)
Tell = Callable[[str], None]


def watch(home: Home, stopping: threading.Event, tell: Tell) -> None:
    """Wake the functions that should be at work, and bring back a server that ended."""
    running = LocalCloud(home, state=home.read_state())
    gone_since: dict[str, float] = {}
    with running.schedule as schedule:
        while not stopping.wait(INTERVAL_SECONDS):
            _revive(running, gone_since, tell)
            for log in home.server_logs:
                rotation.truncate_large(log)
            try:
                schedule.wake_the_missing()
            except (psycopg.Error, BotoCoreError, ClientError):
                continue  # whichever it is that does not answer, _revive sees to it


def _revive(running: LocalCloud, gone_since: dict[str, float], tell: Tell) -> None:
    now = time.monotonic()
    for name, identity in list(running.state["processes"].items()):
        processes.collect(identity["pid"])
        if processes.find(identity):
            gone_since.pop(name, None)
        elif name not in gone_since:
            gone_since[name] = now
            tell(f"{name} has ended. It is started again in {RESTART_AFTER_SECONDS:.0f} s.")
        elif ports.answers(running.state["ports"][name]):
            gone_since[name] = now  # somebody else has started one there, a test perhaps
        elif now - gone_since[name] > RESTART_AFTER_SECONDS:
            gone_since[name] = now
            _try_restart(running, name, tell)


def _try_restart(running: LocalCloud, name: str, tell: Tell) -> None:
    try:
        running.restart(name)
        tell(f"{name} runs again.")
    except FAILURES as error:
        tell(f"{name} does not start: {error}")


def stop_on_signals() -> threading.Event:
    """An event that Ctrl-C, `switchboard down` and a closed terminal set."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
