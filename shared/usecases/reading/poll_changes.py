"""Changes since a position, for clients that poll. The client gets all changes, or a reset."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from shared.contracts.problems import refuse
from shared.contracts.views import AgentView, CallView, Changes, Departure
from shared.usecases.access import Principal

MAX_CALLS = 500  # in one response; above this, reading the snapshot is cheaper
POSITIONS_PER_TAG = 1024  # an unchanged response keeps its entity tag for so many positions


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Changes since a position.

    position: the end of the changes, from which to continue.
    calls, agents: the current views of those that changed.
    left: calls that left the requested queues.
    is_complete: False if there are too many changes, or if the position is too old.
    """

    position: int
    calls: list[CallView]
    left: list[Departure]
    agents: list[AgentView]
    is_complete: bool


class ChangeLog(Protocol):
    """Raises `UnavailableError`."""

    def since(self, position: int, queues: Collection[str] | None, limit: int) -> ChangeSet:
        """`queues` None means all. Incomplete above `limit` calls."""
        ...


def list_changes(log: ChangeLog, principal: Principal, query: Mapping[str, str]) -> Changes:
    """Raises `ProblemError` (400) that names the invalid parameter."""
    changes = log.since(_position(query["since"]), _queues(principal, query), MAX_CALLS)
    if not changes.is_complete:
        return Changes.trusted(position=changes.position, reset=True, calls=[], left=[], agents=[])
    return Changes.trusted(
        position=changes.position, reset=False, calls=changes.calls, left=changes.left, agents=changes.agents
    )


def tag_of(changes: Changes) -> str:
    """An entity tag (RFC 9110). It stays the same while nothing changes and the position moves only a little."""
    content = changes.model_dump_json(exclude={"position"}).encode()
    return f'W/"{blake2b(content, digest_size=12).hexdigest()}-{changes.position // POSITIONS_PER_TAG}"'


def _queues(principal: Principal, query: Mapping[str, str]) -> Collection[str] | None:
    others = query.keys() - {"since", "queueId"}
    if others:
        name = min(others)
        raise refuse(400, f"Not valid: {name}", (name, "cannot be combined with since"))
    requested = [queue_id for queue_id in query.get("queueId", "").split(",") if queue_id]
    if requested:
        return [queue_id for queue_id in requested if principal.can_see(queue_id)]
    return None if principal.sees_all else list(principal.queues)


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise refuse(400, "Not valid: since", ("since", "is not a position"))
    return int(text)
