"""Notices name every agent whom a transaction changes."""

from shared.adapters.postgres import row_mapping
from shared.contracts.setup import AgentSetup
from tests.support.harness import Harness


def published_statuses(harness: Harness) -> dict[str, str]:
    """The last published status of each agent."""
    return {agent.id: agent.status.value for news in harness.published.news for agent in news.agents}


def test_a_reroute_notifies_about_both_agents(harness, clock):
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.one("call_routed", agentId="interpreter-01", routingTime=1)
    clock.go_to(15.2)
    harness.sweep()
    offered = harness.call()["agentId"]
    assert offered not in (None, "interpreter-01")
    assert published_statuses(harness) == {"interpreter-01": "away", offered: "offered"}
    assert {name: harness.agent(name)[0] for name in published_statuses(harness)} == published_statuses(harness)


def test_each_change_of_an_agent_raises_its_version(harness, clock):
    """An offer, its lapse, the agent's own word, a new name, and a call taken, left and wrapped up."""
    harness.rows("update agents set status = 'offline'")
    setup = AgentSetup(name="Ana", languages=[], queues=["medical_spanish"], skills={}, status="available")
    for second, step in enumerate(
        [
            lambda: harness.set_up_agent("ana", setup),
            lambda: harness.one("call_initiated", type="voice", queueId="medical_spanish"),
            lambda: harness.one("call_routed", agentId="ana", routingTime=1),
            lambda: harness.one("call_no_answer", agentId="ana"),
            lambda: harness.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"}),
            lambda: harness.set_up_agent("ana", setup),
            lambda: harness.one("call_answered", agentId="ana", waitTime=4),
            lambda: harness.one("call_ended", endReason="completed", duration=3),
        ]
    ):
        clock.go_to(second)
        step()
    notices = [agent for news in harness.published.news for agent in news.agents]
    versions = [agent.version for agent in notices]
    assert versions == sorted(set(versions)), "no two of one version, and none of an older one"
    assert len(notices) >= 7
    assert row_mapping.agent_view(notices[-1]) == harness.reads.agent("ana")
