"""Record events: the one way by which anything gets onto a call's record, whoever says it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.call import Call
from shared.domain.facts import Event, Initiated, Limits, Transferred
from shared.domain.rules import Verdict, fold
from shared.domain.value import value
from shared.usecases.draft import Draft
from shared.usecases.journal import (
    CallRecord,
    ConflictError,
    Journal,
    Known,
    Ledger,
    Loaded,
    UnavailableError,
)
from shared.usecases.news import Announcer, News
from shared.usecases.writing import Writing, load_logs

MAX_ATTEMPTS = 8
REMEMBERED = timedelta(
    days=31
)  # so long another call's event with the same id is known; one of the same call, for ever
PART = 125  # events that are judged and sent to be written before the next


@value
class Submission:
    """An event as sent. `named` says that the id is the sender's, `known` that it was not made here: a second event
    with a known id is a replay.
    """

    event: Event
    fingerprint: str
    named: bool = False
    known: bool = False


@value
class Applied:
    event_id: str
    call: Call


@value
class Parked:
    """Kept until the event that it follows comes. `call` is what is known of the call so far."""

    event_id: str
    call_id: str
    call: Call | None


@value
class Replayed:
    event_id: str
    call_id: str
    call: Call | None


@value
class UnknownQueue:
    queue_id: str


@value
class KeyReused:
    event_id: str


@value
class Impossible:
    """`status` is the call's at the event's place in time."""

    event: Event
    status: str


Outcome = Applied | Parked | Replayed | UnknownQueue | KeyReused | Impossible


def record_events(
    journal: Journal, announcer: Announcer, submissions: Sequence[Submission], now: datetime, grace: timedelta
) -> list[Outcome]:
    """Record each event or say why not, all in one transaction; outcomes in the order sent.

    Raises `UnavailableError` when nothing was recorded and the sender must try again.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            outcomes, news = _attempt(journal, submissions, now, grace)
        except ConflictError:
            continue  # another writer was at the same calls: judge anew by what it left
        announcer.announce(news)
        return outcomes
    raise UnavailableError("Too many writers at the same calls.")


def _attempt(
    journal: Journal, submissions: Sequence[Submission], now: datetime, grace: timedelta
) -> tuple[list[Outcome], News]:
    outcomes: dict[int, Outcome] = {}
    with journal.transaction() as ledger:
        recorder, writing = _Recorder(_load(ledger, submissions, now)), Writing(ledger, now, grace)
        for part in _parts(submissions):
            drafts = recorder.drafts(submission for _, submission in part)
            load_logs(ledger, [draft for _, s in part if (draft := drafts[s.event.call_id]).needs_log(s.event.at)])
            for index, submission in part:
                outcomes[index] = recorder.take(ledger, drafts[submission.event.call_id], submission)
            writing.add(drafts)
        news = writing.commit()
    return [outcomes[index] for index in range(len(submissions))], news


def _load(ledger: Ledger, submissions: Sequence[Submission], now: datetime) -> Loaded:
    queues = {fact.queue_id for s in submissions if isinstance(fact := s.event.fact, Initiated | Transferred)}
    return ledger.load(
        sorted({s.event.call_id for s in submissions}),
        [s.event.id for s in submissions if s.known],
        [queue_id for queue_id in queues if queue_id],
        events=len(submissions),
        since=now - REMEMBERED,
    )


def _parts(submissions: Sequence[Submission]) -> Iterator[Sequence[tuple[int, Submission]]]:
    """Whole calls, so that Postgres writes the first while the next are judged; each with its place in the batch.

    By the calls' ids, in which order they are locked: two batches that create the same calls must not block each other.
    Where an id is used twice, the first in the order sent has it: then all is one part.
    """
    known = [s.event.id for s in submissions if s.known]
    if len(submissions) <= PART or len(set(known)) < len(known):
        yield list(enumerate(submissions))
        return
    ordered = sorted(enumerate(submissions), key=lambda item: item[1].event.call_id)
    part: list[tuple[int, Submission]] = []
    for item in ordered:
        if len(part) >= PART and item[1].event.call_id != part[-1][1].event.call_id:
            yield part
            part = []
        part.append(item)
    yield part


class _Recorder:
    """One attempt at a batch: what was loaded, and what the events before this one have made of it."""

    def __init__(self, loaded: Loaded) -> None:
        self._known = dict(loaded.known)
        self._limits, self._records = loaded.limits, loaded.records

    def drafts(self, submissions: Iterable[Submission]) -> dict[str, Draft]:
        call_ids = dict.fromkeys(submission.event.call_id for submission in submissions)
        return {call_id: Draft(self._records[call_id]) for call_id in sorted(call_ids)}

    def take(self, ledger: Ledger, draft: Draft, submission: Submission) -> Outcome:
        event = submission.event
        if replay := self._replay(submission, draft.record):
            return replay
        if (queue_id := _queue_of(event)) and queue_id not in self._limits:
            return UnknownQueue(queue_id)
        event = _with_limits(event, self._limits)
        if draft.needs_log(event.at):
            load_logs(ledger, [draft])
        verdict = draft.admit(event, submission.fingerprint)
        if verdict in (Verdict.ILLEGAL, Verdict.VOID):
            return Impossible(event, status_at(draft, event))
        self._known[event.id] = Known(event.call_id, submission.fingerprint)
        if verdict is Verdict.EARLY or draft.call is None:
            return Parked(event.id, event.call_id, draft.call)
        return Applied(event.id, draft.call)

    def _replay(self, submission: Submission, record: CallRecord) -> Replayed | KeyReused | None:
        """By its id; without a sender's own only an exact copy of the call's latest event counts, never the type."""
        event = submission.event
        if submission.known and (known := self._known.get(event.id)):
            same = known == Known(event.call_id, submission.fingerprint)
            return Replayed(event.id, record.id, record.call) if same else KeyReused(event.id)
        if not submission.named and record.last_event_id and record.last_fingerprint == submission.fingerprint:
            return Replayed(record.last_event_id, record.id, record.call)
        return None


def _queue_of(event: Event) -> str | None:
    return event.fact.queue_id if isinstance(event.fact, Initiated | Transferred) else None


def _with_limits(event: Event, limits: Mapping[str, Limits]) -> Event:
    """A call keeps the promises that its queue made when it began."""
    if not isinstance(event.fact, Initiated):
        return event
    return replace(event, fact=replace(event.fact, limits=limits[event.fact.queue_id]))


def status_at(draft: Draft, event: Event) -> str:
    """The call's status at the event's place in time, as far as it has been read."""
    if draft.call is None:
        return "unknown"
    if event.at > draft.call.last_at or draft.log is None:
        return draft.call.status.value
    earlier = [row.event for row in (*draft.log, *draft.recorded) if row.event.order < event.order]
    call = fold(earlier).call
    return call.status.value if call else "not begun"
