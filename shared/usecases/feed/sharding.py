"""Assigns changes to relays by queue. All changes of a queue pass through one relay, which can conflate them. Pure."""

from binascii import crc32
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

AGENT_SHARD = 0  # for agents that no call of the transaction moved


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one transaction that one relay sends.

    calls: ids of calls.
    agents: ids of agents.
    """

    calls: list[str] = field(default_factory=list[str])
    agents: list[str] = field(default_factory=list[str])


@lru_cache(1024)
def shard_of(queue_id: str, shards: int) -> int:
    """The same in every process. Python's own hash differs between processes."""
    return crc32(queue_id.encode()) % shards


def split_by_shard(
    queues_of_calls: Mapping[str, str], agents: Iterable[tuple[str, str | None]], shards: int
) -> Mapping[int, Share]:
    """The shares by shard. `agents` are pairs of an agent and the call that moved the agent, if any.

    An agent is in the share of this call, so that one frame can contain both.
    """
    shards_of_calls = {call_id: shard_of(queue_id, shards) for call_id, queue_id in queues_of_calls.items()}
    shares: dict[int, Share] = defaultdict(Share)
    for call_id, shard in shards_of_calls.items():
        shares[shard].calls.append(call_id)
    for agent_id, call_id in agents:
        shares[shards_of_calls.get(call_id or "", AGENT_SHARD)].agents.append(agent_id)
    return shares
