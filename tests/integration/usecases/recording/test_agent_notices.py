"""The floor is told of every agent that a transaction moves."""

from shared.adapters.postgres import row_mapping
from shared.contracts.setup import AgentSetup
from tests.support.harness import Harness


def told_statuses(floor: Harness) -> dict[str, str]:
    """Each agent's status as it was told last."""
    return {agent.id: agent.status.value for news in floor.told.news for agent in news.agents}


def test_a_reroute_notifies_about_both_agents(floor, clock):
    floor.one("call_initiated", type="voice", queueId="medical_spanish")
    floor.one("call_routed", agentId="interpreter-01", routingTime=1)
    clock.go_to(15.2)
    floor.sweep()
    offered = floor.call()["agentId"]
    assert offered not in (None, "interpreter-01")
    assert told_statuses(floor) == {"interpreter-01": "away", offered: "offered"}
    assert {name: floor.agent(name)[0] for name in told_statuses(floor)} == told_statuses(floor)


def test_each_change_of_an_agent_raises_its_version(floor, clock):
    """An offer, its lapse, the agent's own word, a new name, and a call taken, left and wrapped up."""
    floor.rows("update agents set status = 'offline'")
    setup = AgentSetup(name="Ana", languages=[], queues=["medical_spanish"], skills={}, status="available")
    for second, step in enumerate(
        [
            lambda: floor.set_up_agent("ana", setup),
            lambda: floor.one("call_initiated", type="voice", queueId="medical_spanish"),
            lambda: floor.one("call_routed", agentId="ana", routingTime=1),
            lambda: floor.one("call_no_answer", agentId="ana"),
            lambda: floor.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"}),
            lambda: floor.set_up_agent("ana", setup),
            lambda: floor.one("call_answered", agentId="ana", waitTime=4),
            lambda: floor.one("call_ended", endReason="completed", duration=3),
        ]
    ):
        clock.go_to(second)
        step()
    told = [agent for news in floor.told.news for agent in news.agents]
    versions = [agent.version for agent in told]
    assert versions == sorted(set(versions)), "no two of one version, and none of an older one"
    assert len(told) >= 7
    assert row_mapping.agent_view(told[-1]) == floor.reads.agent("ana")
