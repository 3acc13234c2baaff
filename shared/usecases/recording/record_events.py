"""Records the events that senders report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.events import Event, Initiated, Source, Transferred
from shared.domain.fast import fast_frozen
from shared.domain.fold import fold
from shared.domain.legality import Verdict
from shared.usecases.errors import ConflictError, UnavailableError
from shared.usecases.recording.call_change import CallChange
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.ports import CallRecord, KnownEvent, LoadedCalls, Transactions, UnitOfWork
from shared.usecases.recording.transaction_writer import TransactionWriter, load_logs

MAX_ATTEMPTS = 8
EVENTS_PER_PART = 125  # measured: 60 and 250 take the same time
# An id that another call has used is recognised for this long, counted back from the event's time, or from now for an
# imported event. Within one call it is always recognised.
EVENT_ID_LOOKBACK = timedelta(days=31)


@fast_frozen
class Submission:
    """An event as sent.

    fingerprint: of its body, or of the whole request if `key` is given.
    has_sender_id: whether the sender chose the id.
    has_stable_id: whether the id stays the same when the event is sent again: a second event with it is a replay.
    key: the request's Idempotency-Key, if the id is derived from it.
    """

    event: Event
    fingerprint: str
    has_sender_id: bool = False
    has_stable_id: bool = False
    key: str | None = None


@fast_frozen
class Applied:
    event_id: str
    call_id: str


@fast_frozen
class Deferred:
    """Recorded, and applied as soon as its predecessor arrives."""

    event_id: str
    call_id: str


@fast_frozen
class Replayed:
    event_id: str
    call_id: str


@fast_frozen
class UnknownQueue:
    queue_id: str


@fast_frozen
class KeyReused:
    event_id: str


@fast_frozen
class Illegal:
    """`status` is the call's status at the time of the event."""

    event: Event
    status: str


Outcome = Applied | Deferred | Replayed | UnknownQueue | KeyReused | Illegal


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """The result of one transaction.

    outcomes: of each event, in the order sent.
    call_views: the encoded view of each event's call after the transaction, in the same order.
    notices: for the caller to publish.
    """

    outcomes: list[Outcome]
    call_views: list[bytes | None]
    notices: TransactionNotices


def record_events(
    transactions: Transactions,
    submissions: Sequence[Submission],
    now: datetime,
    grace: timedelta,
    traces: Mapping[str, str] | None = None,
) -> RecordedBatch:
    """Record each event or refuse it, all in one transaction.

    `traces` holds the traceparent of each event that was sent with its own, by event id.

    Raises `UnavailableError` if nothing was recorded and the sender must try again.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            return _attempt(transactions, submissions, now, grace, traces)
        except ConflictError:
            continue  # another transaction changed the same calls: begin again with its result
    raise UnavailableError("Too many writers at the same calls.")


def _attempt(
    transactions: Transactions,
    submissions: Sequence[Submission],
    now: datetime,
    grace: timedelta,
    traces: Mapping[str, str] | None,
) -> RecordedBatch:
    with transactions.begin() as unit_of_work:
        recorder = _Recorder(_load(unit_of_work, submissions, now), submissions)
        changes = recorder.changes
        load_logs(
            unit_of_work, [change for s in submissions if (change := changes[s.event.call_id]).needs_log(s.event)]
        )
        writer = TransactionWriter(unit_of_work, now, grace, traces)
        outcomes: list[Outcome] = []
        for part, finished_calls in _parts(submissions):
            outcomes += [recorder.take(unit_of_work, submission) for submission in part]
            writer.send(changes[call_id] for call_id in finished_calls)
        notices = writer.commit()
    return RecordedBatch(outcomes, [changes[s.event.call_id].call_view for s in submissions], notices)


def _parts(submissions: Sequence[Submission]) -> Iterator[tuple[Sequence[Submission], Sequence[str]]]:
    """Split a large batch, so that Postgres writes one part while Python judges the next. Yield each part with the
    calls that no later part contains.
    """
    last = {submission.event.call_id: index for index, submission in enumerate(submissions)}
    for begin in range(0, len(submissions), EVENTS_PER_PART):
        part = submissions[begin : begin + EVENTS_PER_PART]
        yield part, [s.event.call_id for index, s in enumerate(part, begin) if last[s.event.call_id] == index]


def _load(unit_of_work: UnitOfWork, submissions: Sequence[Submission], now: datetime) -> LoadedCalls:
    queues = {fact.queue_id for s in submissions if isinstance(fact := s.event.fact, Initiated | Transferred)}
    return unit_of_work.load(
        sorted({s.event.call_id for s in submissions}),
        [s.event.id for s in submissions if s.has_stable_id],
        [queue_id for queue_id in queues if queue_id],
        events=len(submissions),
        since=min([now, *(s.event.at for s in submissions if s.event.source is not Source.IMPORT)]) - EVENT_ID_LOOKBACK,
    )


class _Recorder:
    """One attempt to record a batch: the loaded calls, changed by each event in turn."""

    def __init__(self, loaded: LoadedCalls, submissions: Sequence[Submission]) -> None:
        self._known = dict(loaded.known)
        self._key_is_reused = any(s.key and self._has_id_of_another_event(s) for s in submissions)
        self._limits = loaded.limits
        self.changes = {call_id: CallChange(record) for call_id, record in loaded.records.items()}

    def take(self, unit_of_work: UnitOfWork, submission: Submission) -> Outcome:
        event, change = submission.event, self.changes[submission.event.call_id]
        if replay := self._replay(submission, change.record):
            return replay
        if queue_id := _queue_of(event):
            limits = self._limits.get(queue_id)
            if limits is None:
                return UnknownQueue(queue_id)
            event = event.with_limits(limits)  # a call keeps the limits that its queue has now
        if change.needs_log(event):
            load_logs(unit_of_work, [change])
        verdict = change.admit(event, submission.fingerprint)
        if verdict in (Verdict.ILLEGAL, Verdict.VOID):
            return Illegal(event, status_at(change, change.placed(event)))
        if submission.has_stable_id:
            self._known[event.id] = KnownEvent(event.call_id, submission.fingerprint)
        if verdict is Verdict.DEFERRED or change.call is None:
            return Deferred(event.id, event.call_id)
        return Applied(event.id, event.call_id)

    def _has_id_of_another_event(self, submission: Submission) -> bool:
        """Whether the id was used for another event. One such event rejects all events of a request with a key."""
        known = self._known.get(submission.event.id) if submission.has_stable_id else None
        return known is not None and known != KnownEvent(submission.event.call_id, submission.fingerprint)

    def _replay(self, submission: Submission, record: CallRecord) -> Replayed | KeyReused | None:
        """Find a replay by its id. Without a sender's id, an exact copy of the call's latest event is a replay."""
        event = submission.event
        if self._has_id_of_another_event(submission) or (submission.key and self._key_is_reused):
            return KeyReused(event.id)
        if submission.has_stable_id and event.id in self._known:
            return Replayed(event.id, record.id)
        if not submission.has_sender_id and record.last_event_id and record.last_fingerprint == submission.fingerprint:
            return Replayed(record.last_event_id, record.id)
        return None


def _queue_of(event: Event) -> str | None:
    return event.fact.queue_id if isinstance(event.fact, Initiated | Transferred) else None


def status_at(change: CallChange, event: Event) -> str:
    """The call's status at the time of the event. If the event is not the last, the log must have been read."""
    if change.call is None:
        return "unknown"
    if event.at > change.call.last_at:
        return change.call.status.value
    call = fold(row.event for row in change.rows_not_dead() if row.event.order < event.order).call
    return call.status.value if call else "not begun"
