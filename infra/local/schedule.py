"""What EventBridge does on AWS and MiniStack does too late: keep the functions that last a minute alive.

MiniStack's schedules fire a minute after their deployment at the earliest, and a killed run is not repeated. Both
functions say in the database until when they are alive, so it is seen within seconds when one is not.
"""

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import psycopg
from botocore.config import Config

from infra.deployment.deploy import STACK

MINUTE_LONG = {"sweep": f"{STACK}-sweep", "relay": f"{STACK}-relay"}
COLD_START_SECONDS = 3.0
ALIVE = """
select name from heartbeats where alive_until > now()
union select 'relay' from leases having bool_and(expires_at > now())
"""


class Schedule:
    """Watches heartbeats and leases over one connection and invokes what has none."""

    def __init__(self, database_url: str, endpoint_url: str, died: Path) -> None:
        self._died = died
        self._database_url = database_url
        self._lambda: Any = boto3.client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
        )
        self._connection: psycopg.Connection[Any] | None = None
        self._woken_at: dict[str, float] = {}

    def __enter__(self) -> "Schedule":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def wake_the_missing(self) -> set[str]:
        """Invoke each that is not alive, but give the one just invoked time to start. Returns who is missing."""
        missing = (set(MINUTE_LONG) - self._alive()) | self._killed()
        for name in missing:
            if time.monotonic() - self._woken_at.get(name, float("-inf")) > COLD_START_SECONDS:
                self._lambda.invoke(FunctionName=MINUTE_LONG[name], InvocationType="Event")
                self._woken_at[name] = time.monotonic()
        return missing

    def _killed(self) -> set[str]:
        """Who was killed since the last look: its heartbeat still says that it is alive."""
        killed: set[str] = set()
        for name, function in MINUTE_LONG.items():
            with contextlib.suppress(FileNotFoundError):
                (self._died / function).unlink()
                self._woken_at.pop(name, None)
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
