"""One call followed through the functions' log, in a file and in CloudWatch."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from infra.cli import app
from infra.operation import function_log
from infra.operation.function_log import Wanted
from tests.support.clock import Clock

GROUP = "/switchboard/functions"


def row(function: str, message: str, level: str = "INFO", **fields: Any) -> str:
    return f"switchboard-{function}\t" + json.dumps({"level": level, "message": message, **fields})


RECORDED = row("ingest", "recorded 1 events", call_id="call-1", trace_id="a")
ANSWERED = row("ingest", "POST /api/events 201", trace_id="a")
FOREIGN = row("ingest", "recorded 1 events", call_id="call-2", trace_id="b")
FOREIGN_ANSWER = row("ingest", "POST /api/events 201", trace_id="b")
SWEPT = row("sweep", "recorded 2 events", call_id=["call-1", "call-3"], trace_id="c")
SWEPT_OTHER = row("sweep", "recorded 1 events", call_id="call-3", trace_id="c")
READ = row("query", "GET /api/calls/call-1 200", trace_id="d")
BROKE = row("relay", "Unexpected failure", "ERROR", trace_id="e")
BROKE_ON_IT = row("sweep", "Unexpected failure", "ERROR", trace_id="c")
SENT = row("relay", "delivered 2 calls", call_id=["call-1", "call-3"], traces=["a", "f"], trace_id="e")
TIMED_OUT = "switchboard-relay\t2026-01-31T12:00:00Z 5f Task timed out after 90.00 seconds"
PLAIN = "switchboard-relay\tSTART RequestId: 5f"
REFUSED = "switchboard-authorizer\t[ERROR] UnauthorizedError: Unauthorized\nTraceback (most recent call last):\n"
ALL_QUEUES = [
    RECORDED,
    ANSWERED,
    FOREIGN,
    FOREIGN_ANSWER,
    SWEPT,
    SWEPT_OTHER,
    READ,
    BROKE,
    BROKE_ON_IT,
    SENT,
    TIMED_OUT,
    PLAIN,
    REFUSED,
]


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), ALL_QUEUES),
        (Wanted("call-1"), [RECORDED, ANSWERED, SWEPT, READ, BROKE_ON_IT, SENT]),
        (Wanted("call"), []),
        (Wanted(failures=True), [BROKE, BROKE_ON_IT, TIMED_OUT]),
        (Wanted("call-1", failures=True), [BROKE_ON_IT]),
        (Wanted(trace_id="a"), [RECORDED, ANSWERED, SENT]),
        (Wanted(trace_id="f"), [SENT]),
        (Wanted("call-2", trace_id="a"), []),
    ],
    ids=["all", "a call", "an id is no prefix", "failures", "a call's failures", "a trace", "a sent one", "both"],
)
def test_only_matching_lines_are_shown(wanted: Wanted, taken: list[str]) -> None:
    assert list(filter(wanted.matches, ALL_QUEUES)) == taken


def test_a_file_is_followed_without_a_gap(tmp_path: Path) -> None:
    log, stopping = tmp_path / "functions.log", threading.Event()
    log.write_text(f"{RECORDED}\n")
    assert list(function_log.of_file(log, None)) == [RECORDED]
    rows = function_log.of_file(log, stopping)
    assert next(rows) == RECORDED
    with log.open("a") as file:
        file.write(f"{ANSWERED}\n")
    assert next(rows) == ANSWERED
    stopping.set()
    assert list(rows) == []


def test_an_empty_result_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBOARD_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "functions.log").write_text(f"{RECORDED}\n")
    assert "recorded 1 events" in CliRunner().invoke(app, ["logs", "--call", "call-1"]).output
    done = CliRunner().invoke(app, ["logs", "--call", "call-17"])
    assert (done.exit_code, done.output) == (0, "The log has no matching line.\n")


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("logs", region_name="us-east-1")
        client.create_log_group(logGroupName=GROUP)
        yield client


def write(client: Any, function: str, at: Clock, *messages: str) -> None:
    stream = f"2026/01/31/{function}[$LATEST]0af"
    if not client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]:
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [{"timestamp": int(at.now().timestamp() * 1000), "message": message} for message in messages]
    client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


class Impatient(threading.Event):
    """Never waits, and is set when it was waited for so often."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - the interface
        self.rounds -= 1
        return self.rounds <= 0


def test_cloudwatch_lines_are_read_once_by_function_names(logs: Any, clock: Clock) -> None:
    clock.moment = datetime.now(UTC)  # the emulator takes no lines of long ago
    write(logs, "switchboard-ingest", clock, RECORDED.partition("\t")[2])
    write(logs, "switchboard-sweep", clock, SWEPT.partition("\t")[2])
    begin = clock.now() - timedelta(hours=1)
    assert set(function_log.of_cloud(logs, GROUP, begin, None, clock.now)) == {RECORDED, SWEPT}
    assert sorted(function_log.of_cloud(logs, GROUP, begin, Impatient(3), clock.now)) == sorted([RECORDED, SWEPT])
    after = clock.now() + timedelta(seconds=1)
    assert list(function_log.of_cloud(logs, GROUP, after, None, clock.now)) == []
