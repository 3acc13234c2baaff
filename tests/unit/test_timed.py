"""What the alarm on late pictures lives on."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters import metrics
from shared.adapters.metrics import Metric
from shared.adapters.timed import TimedRelay
from shared.contracts.feed import Change, Published
from shared.contracts.views import CallView, EventView


def published(transaction: int, *ages: timedelta) -> Published:
    received = [datetime.now(UTC) - age for age in ages]
    changes = [
        Change.model_construct(event=EventView.model_construct(received_at=at), call=CallView.model_construct())
        for at in received
    ]
    return Published.model_construct(transaction=transaction, changes=changes, agents=[])


def test_the_time_from_receipt_to_the_last_socket_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    timed = TimedRelay()
    metrics.flush()
    capsys.readouterr()
    timed.hear(published(1, timedelta(seconds=9), timedelta(seconds=2)))
    timed.hear(published(2))  # agents only: nothing was received
    timed.clear([1, 2, 3])
    timed.clear([1])
    metrics.flush()
    (written,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    (milliseconds,) = written[Metric.COMMIT_TO_SOCKET.value]
    assert milliseconds >= 2000
    assert milliseconds < 9000, "of the newest event of the transaction"
