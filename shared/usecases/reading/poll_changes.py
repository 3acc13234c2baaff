"""What changed since a position, for clients who poll: complete, or told that it is not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from shared.contracts.problems import refuse
from shared.contracts.views import AgentView, CallView, Changes, Departure
from shared.usecases.access import Principal

MOST = 500  # calls in one answer; beyond it, to read the snapshot is less for everybody
NEAR = 1024  # transactions by which a position may go on without making another answer of it


@dataclass(frozen=True, slots=True)
class Found:
    """`position` is where to go on from: every transaction below it has been looked at."""

    position: int
    calls: list[CallView]
    left: list[Departure]
    agents: list[AgentView]
    is_complete: bool


class ChangeLog(Protocol):
    """Raises `UnavailableError` while the system of record cannot be reached."""

    def since(self, position: int, queues: Collection[str] | None, limit: int) -> Found:
        """`queues` None means all. Incomplete where more than `limit` changed, or the log does not reach back."""
        ...


def list_changes(log: ChangeLog, principal: Principal, query: Mapping[str, str]) -> Changes:
    """Raises `ProblemError` (400) that names a parameter which is not valid."""
    found = log.since(_position(query["since"]), _queues(principal, query), MOST)
    if not found.is_complete:
        return Changes.trusted(position=found.position, reset=True, calls=[], left=[], agents=[])
    return Changes.trusted(
        position=found.position, reset=False, calls=found.calls, left=found.left, agents=found.agents
    )


def tag_of(changes: Changes) -> str:
    """An entity tag (RFC 9110): the same as long as nothing changed and the position is not far from the one told."""
    told = changes.model_dump_json(exclude={"position"}).encode()
    return f'W/"{blake2b(told, digest_size=12).hexdigest()}-{changes.position // NEAR}"'


def _queues(principal: Principal, query: Mapping[str, str]) -> Collection[str] | None:
    others = query.keys() - {"since", "queueId"}
    if others:
        name = min(others)
        raise refuse(400, f"Not valid: {name}", (name, "does not go with since: what changed is told whole"))
    asked = [word for word in query.get("queueId", "").split(",") if word]
    if asked:
        return [queue_id for queue_id in asked if principal.can_see(queue_id)]
    return None if principal.sees_all else list(principal.queues)


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise refuse(400, "Not valid: since", ("since", "is not a position that was given out here"))
    return int(text)
