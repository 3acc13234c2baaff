"""The functions' log, in which one call is followed through all of them: a local run's file, or CloudWatch Logs.

A row is a function's name, a tab, and what it wrote.
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
# What Lambda itself says, in plain words, where a function ends before it could say anything.
ENDED = ("Task timed out", "Runtime.ExitError", "Runtime exited", "Traceback (most recent call last)")
POLL_SECONDS = 2.0
LATE = timedelta(minutes=1)  # a line may reach CloudWatch so much after its own time
KEPT_TRACES = 10_000


@dataclass
class Wanted:
    """Which rows: those that name the call, and what the same request says besides; those that were written in the
    trace or tell of it; of these those that failed.
    """

    call_id: str | None = None
    failures: bool = False
    trace_id: str | None = None
    _traces: dict[str, None] = field(default_factory=dict[str, None])

    def takes(self, row: str) -> bool:
        said = row.partition("\t")[2]
        record = _record(said)
        concerns = self.call_id is None or self._concerns(record, self.call_id)
        concerns = concerns and (self.trace_id is None or _is_in(self.trace_id, record))
        return concerns and (not self.failures or _failed(record, said))

    def _concerns(self, record: Json, call_id: str) -> bool:
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
    """What a local run has written so far; and what it writes from now on, until `stopping` is set."""
    return follow(log, stopping, from_start=True) if stopping else read(log)


def of_cloud(
    client: Any,  # noqa: ANN401 - boto3 makes its clients' classes when it runs
    group: str,
    begin: datetime,
    stopping: threading.Event | None,
    now: Callable[[], datetime],
) -> Iterator[str]:
    """The same from CloudWatch Logs, from `begin` on. Each event once, though late ones are looked for again."""
    seen: dict[str, int] = {}
    while True:
        asked_at = now()
        since = int(begin.timestamp() * 1000)
        for event in _events(client, group, since):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"]
                yield f"{_function(event)}\t{event['message'].rstrip()}"
        if not stopping or stopping.wait(POLL_SECONDS):
            return
        begin = max(begin, asked_at - LATE)
        seen = {event_id: at for event_id, at in seen.items() if at >= since}


def _events(client: Any, group: str, since: int) -> Iterator[Json]:  # noqa: ANN401 - as above
    for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since):
        yield from page["events"]


def _function(event: Json) -> str:
    """In a group that functions share, Lambda calls a stream `2026/01/31/switchboard-ingest[$LATEST]0af…`."""
    return str(event.get("logStreamName", "")).rpartition("/")[2].partition("[")[0] or "aws"


def _record(said: str) -> Json:
    try:
        found = json.loads(said)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_in(trace_id: str, record: Json) -> bool:
    return record.get("trace_id") == trace_id or trace_id in record.get("traces", ())


def _failed(record: Json, said: str) -> bool:
    ended = not record and REFUSED not in said and any(sign in said for sign in ENDED)
    return ended or record.get("level") in FAILED
