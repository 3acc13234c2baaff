"""What the alarm on late pictures lives on, and the line by which a call is followed to the sockets."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.adapters.telemetry.relay_log import RelayLog
from shared.contracts.feed import Change, OutboxMessage
from shared.contracts.trace import new_traceparent, trace_id
from shared.contracts.views import CallView, EventView

TRACES = [new_traceparent(), new_traceparent()]


def published(transaction: int, *ages: timedelta) -> OutboxMessage:
    received = [datetime.now(UTC) - age for age in ages]
    changes = [
        Change.model_construct(
            event=EventView.model_construct(id=f"e-{number}", received_at=at),
            call=CallView.model_construct(id=f"call-{number}"),
        )
        for number, at in enumerate(received)
    ]
    return OutboxMessage(transaction=transaction, traceparent=TRACES[0]).model_copy(update={"changes": changes})


def test_the_delay_to_the_last_socket_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = RelayLog()
    metrics.flush()
    capsys.readouterr()
    log.received(published(1, timedelta(seconds=9), timedelta(seconds=2)))
    log.received(published(2))  # agents only: nothing was received
    log.delivered([(1, 0), (2, 0), (3, 0)])
    log.delivered([(1, 0)])
    metrics.flush()
    (written,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    (milliseconds,) = written[Metric.COMMIT_TO_SOCKET.value]
    assert milliseconds >= 2000
    assert milliseconds < 9000, "of the newest event of the transaction"


def test_each_sent_transaction_logs_its_calls_and_traces(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, age = RelayLog(), timedelta(seconds=1)
    log.received(published(1, age, age).model_copy(update={"traces": {"e-1": TRACES[1]}}))
    log.read(published(2, age))
    log.read(published(3))
    with caplog.at_level("INFO"):
        log.delivered([(1, 0), (2, 0)])
        log.delivered([(1, 0), (2, 0), (3, 0)])
    one, two, three = (vars(record) for record in caplog.records)
    assert (set(one["call_id"]), two["call_id"], three.get("call_id")) == ({"call-0", "call-1"}, "call-0", None)
    assert one["traces"] == [trace_id(trace) for trace in TRACES]
    assert two["traces"] == three["traces"] == [trace_id(TRACES[0])]
