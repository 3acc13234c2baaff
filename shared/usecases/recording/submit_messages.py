"""Record what a queue delivers: all messages of a delivery in one transaction, each with an outcome of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.body import items, parse_json
from shared.contracts.problems import Problem, ProblemError
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.submit_events import IngestServices, Queued, submit


@dataclass(frozen=True, slots=True)
class Message:
    """One event or a batch of them, as sent. It may be delivered again, and overtaken: so what is undated in it
    happened when the queue took it in, and what has no id bears the message's. `traceparent` is its sender's.
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
            found = items(parse_json(message.body.encode()))
        except ProblemError as error:
            refused[message.id] = [error.problem]
            continue
        bodies += [(message, body) for body in found]
        queued += _queued(message, len(found), now)
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
