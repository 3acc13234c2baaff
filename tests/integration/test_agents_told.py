"""The floor is told of every agent that a transaction moves."""

from tests.integration.conftest import Floor


def told_statuses(floor: Floor) -> dict[str, str]:
    """Each agent's status as it was told last."""
    return {agent.id: agent.status.value for news in floor.told.news for agent in news.agents}


def test_a_re_route_tells_of_who_missed_the_call_and_of_who_is_offered_it(floor, clock):
    floor.one("call_initiated", type="voice", queueId="medical_spanish")
    floor.one("call_routed", agentId="interpreter-01", routingTime=1)
    clock.go_to(15.2)
    floor.sweep()
    offered = floor.call()["agentId"]
    assert offered not in (None, "interpreter-01")
    assert told_statuses(floor) == {"interpreter-01": "away", offered: "offered"}
    assert {name: floor.agent(name)[0] for name in told_statuses(floor)} == told_statuses(floor)
