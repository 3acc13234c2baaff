"""Writes down what became of events: the lines by which one call is followed, and the figures for alarms."""

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
_APPLIED = 201  # what nearly all are: an enumeration is dear to compare with
LONGEST_ID = 128


def log_notices(notices: Sequence[TransactionNotices]) -> None:
    """One line for each transaction that recorded events."""
    for news in notices:
        if news.changes:
            _note(news)


def note_results(bodies: Sequence[object], results: Sequence[Result]) -> None:
    """Count how events fared, and say which were refused and over which fields: never what was in them."""
    for status, events in Counter([result.status for result in results]).items():
        metrics.count(_COUNTED.get(status, Metric.EVENTS_REFUSED), events)
    replayed: list[tuple[object, Json]] = []
    for body, result in zip(bodies, results, strict=True):
        if result.status == _APPLIED:
            continue
        if isinstance(result.body, Problem):
            fields = [error.field for error in result.body.errors]
            told = {"call_id": _said(body, "callId"), "event_id": _said(body, "eventId"), "fields": fields}
            own_trace = traceparent_of(body) if is_cloudevent(body) else None
            _log.info(
                "refused an event: %d %s", result.status, result.body.title, extra=told | json_log.traces(own_trace)
            )
        elif result.status == HTTPStatus.ACCEPTED:
            told = {"call_id": result.body.get("callId"), "event_id": result.body["eventId"]}
            _log.info("kept an event for later", extra={name: said for name, said in told.items() if said})
        elif result.status == HTTPStatus.OK:
            replayed.append((body, result.body))
    if replayed:
        _note_replays(replayed)


def _note_replays(replayed: Sequence[tuple[object, Json]]) -> None:
    """One line for all: who sends a batch again sends all of it."""
    answers = [answer for _, answer in replayed]
    told = {
        "call_id": ids(answer["callId"] for answer in answers if "callId" in answer),
        "event_id": ids(answer["eventId"] for answer in answers),
    }
    own = [traceparent_of(body) for body, _ in replayed if is_cloudevent(body)]
    known = {name: said for name, said in told.items() if said}
    _log.info("had %d events already", len(answers), extra=known | json_log.traces(*own))


def _note(news: TransactionNotices) -> None:
    rows = [change.row for change in news.changes]
    told = {
        "call_id": ids([row.event.call_id for row in rows]),
        "event_id": ids([row.event.id for row in rows]),
        "event": ids([row.event.name for row in rows]),
    }
    _log.info("recorded %d events", len(rows), extra=told | json_log.traces(news.traceparent, *news.traces.values()))
    for row in rows:
        if row.event.source is Source.SYSTEM:  # it stands at its due time, and is received when it is recorded
            lateness = row.event.received_at - row.event.at
            metrics.observe(Metric.TIMER_LATENESS, max(0.0, lateness.total_seconds()))


def ids(found: Iterable[str]) -> str | list[str]:
    """One as itself, many as a list, each once."""
    unique = list(dict.fromkeys(found))
    return unique[0] if len(unique) == 1 else unique


def _said(body: Any, name: str) -> str | None:  # noqa: ANN401 - whatever was sent
    """An id as it was sent, unless it is something else: that may hold anything."""
    said: Any = body.get(name) if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    return said if isinstance(said, str) and len(said) <= LONGEST_ID and " " not in said else None
