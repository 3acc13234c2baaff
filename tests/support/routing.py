"""Calls and agents of one queue that Switchboard routes."""

from typing import Any

from shared.contracts.setup import AgentSetup, QueueSetup, parse_setup
from tests.support.harness import Harness

QUEUE = "night"


def set_up(floor: Harness, queue_id: str, **settings: Any) -> None:
    floor.services.agents.put_queue(queue_id, parse_setup(QueueSetup, {"name": queue_id, **settings}))  # type: ignore[attr-defined]


def arrive(floor: Harness, agent_id: str, *queues: str, **fields: Any) -> None:
    """An agent signs in: new to the house, or by telling so."""
    body = {"name": agent_id, "queues": list(queues or [QUEUE]), "status": "available", **fields}
    setup = parse_setup(AgentSetup, body)
    floor.set_up_agent(agent_id, setup)


def ring(floor: Harness, call_id: str = "call-1", queue_id: str = QUEUE, **fields: Any) -> None:
    result = floor.one("call_initiated", call_id, type="voice", queueId=queue_id, **fields)
    assert result.status == 201, result.body


def offered(floor: Harness, call_id: str = "call-1") -> str | None:
    offer = floor.call(call_id)["offer"]
    return offer and offer["agentId"]


def end(floor: Harness, call_id: str = "call-1", reason: str = "completed") -> None:
    assert floor.one("call_ended", call_id, endReason=reason, duration=60).status == 201


def misses(floor: Harness, agent_id: str = "ana") -> int:
    return next(agent.misses for agent in floor.reads.agents() if agent.id == agent_id)
