"""Calls and agents of one queue that Switchboard routes."""

from typing import Any

from shared.contracts.setup import AgentSetup, QueueSetup, parse_setup
from tests.support.harness import Harness

QUEUE = "night"


def set_up(harness: Harness, queue_id: str, **settings: Any) -> None:
    harness.services.agents.put_queue(queue_id, parse_setup(QueueSetup, {"name": queue_id, **settings}))  # type: ignore[attr-defined]


def arrive(harness: Harness, agent_id: str, *queues: str, **fields: Any) -> None:
    """An agent signs in: new to the house, or by telling so."""
    body = {"name": agent_id, "queues": list(queues or [QUEUE]), "status": "available", **fields}
    setup = parse_setup(AgentSetup, body)
    harness.set_up_agent(agent_id, setup)


def ring(harness: Harness, call_id: str = "call-1", queue_id: str = QUEUE, **fields: Any) -> None:
    result = harness.one("call_initiated", call_id, type="voice", queueId=queue_id, **fields)
    assert result.status == 201, result.body


def offered(harness: Harness, call_id: str = "call-1") -> str | None:
    offer = harness.call(call_id)["offer"]
    return offer and offer["agentId"]


def end(harness: Harness, call_id: str = "call-1", reason: str = "completed") -> None:
    assert harness.one("call_ended", call_id, endReason=reason, duration=60).status == 201


def misses(harness: Harness, agent_id: str = "ana") -> int:
    return next(agent.misses for agent in harness.reads.agents() if agent.id == agent_id)
