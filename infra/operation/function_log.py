"""The functions' logs, of a local run's file or CloudWatch Logs, and filters for a call, a trace or failures.

A row is a function's name, a tab, and a line of its log.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.local.logs import REFUSED, follow, read

Json = dict[str, Any]

FAILED = ("ERROR", "CRITICAL")
# Lines that Lambda writes when a function ends unexpectedly.
ENDED = ("Task timed out", "Runtime.ExitError", "Runtime exited", "Traceback (most recent call last)")
POLL_SECONDS = 2.0
MAX_DELAY = timedelta(minutes=1)  # between the time of a line and its arrival in CloudWatch
KEPT_TRACES = 10_000


@dataclass
class Wanted:
    """A filter for rows. All conditions must hold."""

    call_id: str | None = None
    """Rows that name the call, and the other rows of the same request."""
    failures: bool = False
    """Only failures."""
    trace_id: str | None = None
    """Rows that belong to the trace or name it."""
    _traces: dict[str, None] = field(default_factory=dict[str, None])

    def matches(self, row: str) -> bool:
        line = row.partition("\t")[2]
        record = _record(line)
        matches = self.call_id is None or self._is_about(record, self.call_id)
        matches = matches and (self.trace_id is None or _is_in(self.trace_id, record))
        return matches and (not self.failures or _failed(record, line))

    def _is_about(self, record: Json, call_id: str) -> bool:
        named, trace = record.get("call_id"), str(record.get("trace_id", ""))
        if named is None and not re.search(rf"/{re.escape(call_id)}(?![^/?\s])", str(record.get("message", ""))):
            return bool(trace) and trace in self._traces
        if named is not None and call_id not in (named if isinstance(named, list) else [named]):
            return False
        self._traces[trace] = None
        if len(self._traces) > KEPT_TRACES:
            del self._traces[next(iter(self._traces))]
        return True


def of_file(log: Path, stopping: threading.Event | None) -> Iterator[str]:
    """The rows of a local run. With `stopping`, also new rows until it is set."""
    return follow(log, stopping, from_start=True) if stopping else read(log)


def of_cloud(
    client: Any,  # noqa: ANN401 - boto3 makes its clients' classes when it runs
    group: str,
    begin: datetime,
    stopping: threading.Event | None,
    now: Callable[[], datetime],
) -> Iterator[str]:
    """The rows of CloudWatch Logs from `begin` on, each once. Later requests also find rows that arrived late."""
    seen: dict[str, int] = {}
    while True:
        requested_at = now()
        since = int(begin.timestamp() * 1000)
        for event in _events(client, group, since):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"]
                yield f"{_function(event)}\t{event['message'].rstrip()}"
        if not stopping or stopping.wait(POLL_SECONDS):
            return
        begin = max(begin, requested_at - MAX_DELAY)
        seen = {event_id: at for event_id, at in seen.items() if at >= since}


def _events(client: Any, group: str, since: int) -> Iterator[Json]:  # noqa: ANN401 - as above
    for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since):
        yield from page["events"]


def _function(event: Json) -> str:
    """In a group that functions share, Lambda calls a stream `2026/01/31/switchboard-ingest[$LATEST]0af…`."""
    return str(event.get("logStreamName", "")).rpartition("/")[2].partition("[")[0] or "aws"


def _record(line: str) -> Json:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}


def _is_in(trace_id: str, record: Json) -> bool:
    return record.get("trace_id") == trace_id or trace_id in record.get("traces", ())


def _failed(record: Json, line: str) -> bool:
    ended = not record and REFUSED not in line and any(sign in line for sign in ENDED)
    return ended or record.get("level") in FAILED
