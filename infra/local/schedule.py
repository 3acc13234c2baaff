"""Keeps sweep and relay running, in place of EventBridge's schedules.

MiniStack's schedules first fire a minute after a deployment, and do not repeat a killed invocation. Both functions
record in the database until when they are alive, so a missing one is noticed within seconds.
"""

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from botocore.config import Config

from infra import aws
from infra.deployment.deploy import STACK

MINUTE_LONG = {"sweep": f"{STACK}-sweep", "relay": f"{STACK}-relay"}
COLD_START_SECONDS = 3.0
"""Time for an invoked function to record itself. It doubles each time, because on a busy machine starts take longer,
and further starts slow down all of them."""
ALIVE = """
select name from heartbeats where alive_until > now()
union select 'relay' from leases having bool_and(expires_at > now())
"""


class Schedule:
    """Reads heartbeats and leases on one connection and invokes functions that have none."""

    def __init__(self, database_url: str, endpoint_url: str, credentials: aws.Credentials, died: Path) -> None:
        self._died = died
        self._database_url = database_url
        short_timeouts = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        self._lambda = aws.client("lambda", "us-east-1", endpoint_url, credentials, short_timeouts)
        self._connection: psycopg.Connection[Any] | None = None
        self._wake_at: dict[str, float] = {}
        """By function: the monotonic time from which it may be invoked again."""
        self._pause_seconds: dict[str, float] = {}

    def __enter__(self) -> "Schedule":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def wake_the_missing(self) -> set[str]:
        """Invoke each missing function, unless it was invoked recently. Returns the missing ones."""
        alive = self._alive()
        killed = self._killed()
        for name in alive | killed:
            self._pause_seconds.pop(name, None)
        for name in killed:
            self._wake_at.pop(name, None)
        missing = (set(MINUTE_LONG) - alive) | killed
        for name in missing:
            if time.monotonic() >= self._wake_at.get(name, 0.0):
                self._lambda.invoke(FunctionName=MINUTE_LONG[name], InvocationType="Event")
                pause_seconds = self._pause_seconds.get(name, COLD_START_SECONDS)
                self._wake_at[name] = time.monotonic() + pause_seconds
                self._pause_seconds[name] = 2 * pause_seconds
        return missing

    def _killed(self) -> set[str]:
        """The functions that were killed since the last call. Their heartbeats are still valid."""
        killed: set[str] = set()
        for name, function in MINUTE_LONG.items():
            with contextlib.suppress(FileNotFoundError):
                (self._died / function).unlink()
                killed.add(name)
        return killed

    def _alive(self) -> set[str]:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._database_url, autocommit=True, connect_timeout=2)
            return {name for (name,) in self._connection.execute(ALIVE).fetchall()}
        except psycopg.Error:
            self.close()
            raise
