"""Records the messages of a queue: one transaction for a delivery, one outcome for each message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.body import items, parse_json
from shared.contracts.problems import Problem, ProblemError
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.submit_events import IngestServices, Queued, submit


@dataclass(frozen=True, slots=True)
class Message:
    """One event or a batch of events. The queue may deliver it twice or out of order.

    id: the id of its events that have none.
    sent_at: the time of its events that have none.
    traceparent: the sender's trace.
    """

    id: str
    body: str
    sent_at: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class SubmittedMessages:
    """`refused` holds the problems of each refused message by its id. The caller publishes the `notices`."""

    refused: dict[str, list[Problem]]
    notices: list[TransactionNotices]


def submit_messages(services: IngestServices, messages: Sequence[Message], now: datetime) -> SubmittedMessages:
    """Record the events of all messages.

    Raises `UnavailableError` if nothing was recorded and all messages must be delivered again.
    """
    refused: dict[str, list[Problem]] = {}
    bodies: list[tuple[Message, object]] = []
    queued: list[Queued] = []
    for message in messages:
        try:
            events = items(parse_json(message.body.encode()))
        except ProblemError as error:
            refused[message.id] = [error.problem]
            continue
        bodies += [(message, body) for body in events]
        queued += _queued(message, len(events), now)
    submitted = submit(services, [body for _, body in bodies], now, queued=queued)
    for (message, _), result in zip(bodies, submitted.results, strict=True):
        if isinstance(result.body, Problem):
            refused.setdefault(message.id, []).append(result.body)
    return SubmittedMessages(refused, submitted.notices)


def _queued(message: Message, events: int, now: datetime) -> list[Queued]:
    sent_at = min(message.sent_at, now)
    return [
        Queued(
            f"{message.id}.{n}" if events > 1 else message.id,
            sent_at + timedelta(microseconds=n),
            message.traceparent,
        )
        for n in range(events)
    ]
