"""Logs recorded and refused events, and counts them for alarms."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from shared.adapters.telemetry import json_log, metrics
from shared.adapters.telemetry.metrics import Metric
from shared.contracts.cloudevents import is_cloudevent, traceparent_of
from shared.contracts.plain_json import Json
from shared.contracts.problems import Problem
from shared.domain.events import Source
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result

_log = logging.getLogger(__name__)
_COUNTED = {201: Metric.EVENTS_APPLIED, 202: Metric.EVENTS_DEFERRED, 200: Metric.EVENTS_REPLAYED}
_APPLIED = 201  # nearly all; comparing with an enumeration is slow
MAX_ID_LENGTH = 128


def log_notices(notices: Sequence[TransactionNotices]) -> None:
    """Write one line for each transaction that recorded events."""
    for transaction in notices:
        if transaction.calls:
            _log_events(transaction)


def log_results(bodies: Sequence[object], results: Sequence[Result]) -> None:
    """Count the results, and log the fields of refused events. Never logs the content of a field."""
    for status, events in Counter([result.status for result in results]).items():
        metrics.count(_COUNTED.get(status, Metric.EVENTS_REFUSED), events)
    replays: list[tuple[object, Json]] = []
    for body, result in zip(bodies, results, strict=True):
        if result.status == _APPLIED:
            continue
        if isinstance(result.body, Problem):
            fields = [error.field for error in result.body.errors]
            log_fields = {"call_id": _id(body, "callId"), "event_id": _id(body, "eventId"), "fields": fields}
            traces = json_log.traces(traceparent_of(body) if is_cloudevent(body) else None)
            _log.info("refused an event: %d %s", result.status, result.body.title, extra=log_fields | traces)
        elif result.status == HTTPStatus.ACCEPTED:
            log_fields = {"call_id": result.body.get("callId"), "event_id": result.body["eventId"]}
            _log.info("deferred an event", extra={name: value for name, value in log_fields.items() if value})
        elif result.status == HTTPStatus.OK:
            replays.append((body, result.body))
    if replays:
        _log_replays(replays)


def _log_replays(replays: Sequence[tuple[object, Json]]) -> None:
    """Write one line for all, because a batch that is sent again has many."""
    answers = [answer for _, answer in replays]
    log_fields = {
        "call_id": ids(answer["callId"] for answer in answers if "callId" in answer),
        "event_id": ids(answer["eventId"] for answer in answers),
    }
    traces = json_log.traces(*(traceparent_of(body) for body, _ in replays if is_cloudevent(body)))
    known_ids = {name: value for name, value in log_fields.items() if value}
    _log.info("%d events were recorded before", len(answers), extra=known_ids | traces)


def _log_events(transaction: TransactionNotices) -> None:
    rows = [notice.row for notice in transaction.calls]
    log_fields = {
        "call_id": ids([row.event.call_id for row in rows]),
        "event_id": ids([row.event.id for row in rows]),
        "event": ids([row.event.name for row in rows]),
    }
    traces = json_log.traces(transaction.traceparent, *transaction.traces.values())
    _log.info("recorded %d events", len(rows), extra=log_fields | traces)
    for row in rows:
        if row.event.source is Source.SYSTEM:  # its time is the due time of its timer
            lateness = row.event.received_at - row.event.at
            metrics.observe(Metric.TIMER_LATENESS, max(0.0, lateness.total_seconds()))


def ids(values: Iterable[str]) -> str | list[str]:
    """The different values: a string for one, else a list."""
    unique = list(dict.fromkeys(values))
    return unique[0] if len(unique) == 1 else unique


def _id(body: Any, name: str) -> str | None:  # noqa: ANN401 - any JSON
    """An id as sent. None for any other content, which may be private."""
    value: Any = body.get(name) if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    return value if isinstance(value, str) and len(value) <= MAX_ID_LENGTH and " " not in value else None
