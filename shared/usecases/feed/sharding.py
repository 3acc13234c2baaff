"""Which relay tells of what: by the queue, so that its news are conflated together, whoever listens. Pure."""

from binascii import crc32
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

FIRST = 0  # tells of agents whom no call moved as well


@dataclass(frozen=True, slots=True)
class Share:
    """What one relay must tell of one transaction: ids of calls and of agents."""

    calls: list[str] = field(default_factory=list[str])
    agents: list[str] = field(default_factory=list[str])


@lru_cache(1024)
def shard_of(queue_id: str, shards: int) -> int:
    """The same in every process and on every day, as Python's own hash is not."""
    return crc32(queue_id.encode()) % shards


def split_by_shard(
    queues_of_calls: Mapping[str, str], agents: Iterable[tuple[str, str | None]], shards: int
) -> Mapping[int, Share]:
    """By shard. An agent, given with the call that moved the agent, is told of with this call: both fit one frame."""
    places = {call_id: shard_of(queue_id, shards) for call_id, queue_id in queues_of_calls.items()}
    shares: dict[int, Share] = defaultdict(Share)
    for call_id, shard in places.items():
        shares[shard].calls.append(call_id)
    for agent_id, call_id in agents:
        shares[places.get(call_id or "", FIRST)].agents.append(agent_id)
    return shares
