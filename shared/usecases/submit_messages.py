"""Record what a queue delivers: all messages of a delivery in one transaction, each with an outcome of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.body import items, parse_json
from shared.contracts.problems import Problem, ProblemError
from shared.usecases.submit import Desk, submit


@dataclass(frozen=True, slots=True)
class Message:
    """One event or a batch of them, as sent. What is undated in it was received when the queue took it in."""

    id: str
    body: str
    sent_at: datetime


def submit_messages(desk: Desk, messages: Sequence[Message], now: datetime) -> dict[str, list[Problem]]:
    """Record the events of all messages; why each refused message was refused, by its id.

    Raises `UnavailableError` when nothing was recorded and all must be delivered again.
    """
    refused: dict[str, list[Problem]] = {}
    bodies: list[tuple[Message, object]] = []
    for message in messages:
        try:
            bodies += [(message, body) for body in items(parse_json(message.body.encode()))]
        except ProblemError as error:
            refused[message.id] = [error.problem]
    received = [min(message.sent_at, now) for message, _ in bodies]
    results = submit(desk, [body for _, body in bodies], now, received=received)
    for (message, _), result in zip(bodies, results, strict=True):
        if isinstance(result.body, Problem):
            refused.setdefault(message.id, []).append(result.body)
    return refused
