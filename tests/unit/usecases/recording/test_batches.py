"""A batch returns the same results, and leaves the same records, as its events sent one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain import events
from shared.domain.events import EndReason, Event, Fact, Limits, Source
from shared.usecases.recording import record_events as recording
from shared.usecases.recording.record_events import Applied, Outcome, Submission, record_events
from tests.support.memory import MemoryQueue, MemoryTransactions

BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)
GRACE = timedelta(seconds=60)
QUEUES = {"medical": MemoryQueue(), "legal": MemoryQueue(Limits(sla_seconds=5, routing="switchboard"))}
FACTS: list[Fact] = [
    events.Initiated("voice", "medical", None, Limits()),
    events.Initiated("voice", "nowhere", None, Limits()),
    events.Routed("ana", 1),
    events.Routed("ben", 1),
    events.NoAnswer("ana"),
    events.Answered(2),
    events.Answered(3, "ben"),
    events.Held(0),
    events.Held(75),
    events.Resumed(),
    events.Transferred("legal"),
    events.Transferred(None, "ben"),
    events.Transferred("nowhere"),
    events.Ended(EndReason.COMPLETED, 9),
    events.Ended(EndReason.ABANDONED, 0),
]
CONCLUSIONS: list[Fact] = [
    events.SlaBreached(),
    events.AnswerTimedOut("ana", 1),
    events.Offered("ana"),
    events.Rerouted("ben"),
    events.HoldExceeded(),
]
DEEP_EXAMPLES = 5_000


@dataclass(frozen=True)
class Sent:
    """An event as a sender sends it.

    `second` is its `occurredAt`, None for an undated event. `named` is false for an event without the sender's own id.
    `copy_of` repeats an earlier event, with the same content if `same`. A conclusion of the system is never in a batch.
    """

    fact: Fact
    second: int | None = None
    sequence: int | None = None
    call: int = 0
    named: bool = True
    copy_of: int | None = None
    same: bool = True


def submissions(sent: Sequence[Sent], receipts_per_second: int = 2) -> list[Submission]:
    """Receipt times advance with the position, so that they do not depend on how the events are split."""
    made: list[Submission] = []
    for number, one in enumerate(sent):
        received_at = BEGUN + timedelta(seconds=number // receipts_per_second, microseconds=number)
        if one.copy_of is not None and made:
            original = made[one.copy_of % len(made)]
            fingerprint = original.fingerprint if one.same else f"other {number}"
            event = original.event if original.has_sender_id else replace(original.event, id=f"e{number}")
            made.append(Submission(event, fingerprint, original.has_sender_id, original.has_stable_id))
            continue
        system = isinstance(one.fact, tuple(type(fact) for fact in CONCLUSIONS))
        event = Event(
            f"e{number}",
            f"call-{one.call}",
            one.fact,
            received_at if one.second is None else BEGUN + timedelta(seconds=one.second),
            received_at,
            dated=one.second is not None,
            source=Source.SYSTEM if system else Source.TELEPHONY,
            sequence=one.sequence,
        )
        made.append(Submission(event, repr((one.fact, one.second)), one.named, one.named))
    return made


def recorded(requests: Sequence[Sequence[Submission]]) -> tuple[list[Outcome], object]:
    """The outcomes in the order sent, and all that is on record."""
    transactions, outcomes = MemoryTransactions(QUEUES), list[Outcome]()
    for request in requests:
        now = request[-1].event.received_at
        outcomes += record_events(transactions, request, now, GRACE).outcomes
    return outcomes, transactions.comparable()


def split(all_of_them: Sequence[Submission], sizes: Sequence[int]) -> list[list[Submission]]:
    """Requests of these sizes, in turn; a system conclusion is alone in its request."""
    requests: list[list[Submission]] = []
    size = 0
    for submission in all_of_them:
        alone = submission.event.is_system
        if not requests or alone or requests[-1][-1].event.is_system or len(requests[-1]) >= size:
            size = max(1, sizes[len(requests) % len(sizes)])
            requests.append([])
        requests[-1].append(submission)
    return requests


def assert_alike(sent: Sequence[Sent], sizes: Sequence[int] = (1_000,)) -> list[Outcome]:
    """Returns the outcomes."""
    all_of_them = submissions(sent)
    one_by_one, records = recorded([[submission] for submission in all_of_them])
    assert recorded(split(all_of_them, sizes)) == (one_by_one, records)
    return one_by_one


def at(second: int, *facts: Fact) -> list[Sent]:
    return [Sent(fact, second) for fact in facts]


BEGIN, RING = FACTS[0], events.Routed("ana", 0)
# Eight events at two instants without a sequence, as they arrived.
TWO_INSTANTS = [
    *at(0, BEGIN, RING, events.Answered(0)),
    *at(1, events.Transferred("medical"), events.Held(0), events.Routed("ben", 1), events.Answered(0)),
    *at(0, events.Held(0)),
]

moments = st.builds(
    Sent,
    fact=st.sampled_from(FACTS * 3 + CONCLUSIONS),
    second=st.none() | st.integers(0, 4),
    sequence=st.none() | st.none() | st.integers(0, 6),
    call=st.sampled_from([0, 0, 0, 1]),
    named=st.sampled_from([True, True, False]),
    copy_of=st.none() | st.none() | st.none() | st.integers(0, 20),
    same=st.booleans(),
)
orders = st.lists(moments, min_size=1, max_size=12)
# One instant or two, no sequence, one call that begins: where ties between events decide.
ties = st.lists(st.builds(Sent, fact=st.sampled_from(FACTS), second=st.integers(0, 1)), min_size=2, max_size=10).map(
    lambda sent: [Sent(BEGIN, 0), *sent]
)
sizes = st.lists(st.integers(1, 8), min_size=1, max_size=4)


def test_a_hold_and_a_transfer_of_one_instant_in_a_batch() -> None:
    found = assert_alike(TWO_INSTANTS)
    assert [type(outcome) for outcome in found] == [Applied] * 8


@pytest.mark.parametrize("size", range(1, 9))
def test_every_size_of_batch_of_events_at_two_instants(size: int) -> None:
    assert_alike(TWO_INSTANTS, [size])


def test_a_split_batch_leaves_the_same_records(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = assert_alike(TWO_INSTANTS)
    monkeypatch.setattr(recording, "EVENTS_PER_PART", 2)
    assert assert_alike(TWO_INSTANTS) == expected


def test_events_in_order_need_no_log() -> None:
    """The normal case stays fast, and so do several events of one instant that come in a batch in their order."""
    transactions = MemoryTransactions(QUEUES)
    life = submissions(
        [
            *at(0, BEGIN),
            *at(1, RING),
            *at(2, events.Answered(2)),
            *at(9, events.Held(0), events.Ended(EndReason.COMPLETED, 9)),
        ]
    )
    for request in (life[:2], life[2:]):
        found = record_events(transactions, request, BEGUN, GRACE).outcomes
        assert {type(outcome) for outcome in found} == {Applied}
    assert transactions.logs_read == 0


@settings(max_examples=50, derandomize=True)
@given(sent=st.one_of(orders, ties), sizes=sizes)
@example(sent=TWO_INSTANTS, sizes=[8])
@example(sent=[*at(2, BEGIN), Sent(BEGIN)], sizes=[2])  # the refusal named another status where the log was not read
def test_a_batch_ends_as_its_events_one_by_one(sent: list[Sent], sizes: list[int]) -> None:
    assert_alike(sent, sizes)


@pytest.mark.deep
@settings(max_examples=DEEP_EXAMPLES, print_blob=True)
@given(sent=st.one_of(orders, ties), sizes=sizes)
def test_any_batch_ends_as_its_events_one_by_one(sent: list[Sent], sizes: list[int]) -> None:
    assert_alike(sent, sizes)
