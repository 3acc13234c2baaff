"""The simulated floor, played in no time against Switchboard's own rules: its figures, and that all of it is legal."""

import json
import math
import statistics
from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import httpx
import pytest
import typer

from infra.cli.simulate import mixed
from infra.client import Api
from infra.simulator.model import SimulatedCallCentre
from infra.simulator.people import Habits, Send
from infra.simulator.telephony import Telephony
from shared.adapters import clock
from shared.adapters.ids import new_id
from shared.contracts.events import AgentStatusChanged, parse_event
from shared.contracts.views import CallView
from shared.domain import events
from shared.domain.agent import agent_effects
from shared.domain.fold import fold
from shared.domain.legality import Verdict

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
QUEUES = {"spanish": 3.0, "english": 1.0}
PEOPLE = [
    {"id": f"agent-{n:02}", "queues": ["spanish", "english"] if n % 3 else ["english"], "status": "available"}
    for n in range(24)
]


class Rules:
    """Switchboard without its database: the real rules, with offers that lapse and are made to someone else."""

    def __init__(self, people):
        self.people = {person["id"]: dict(person) for person in people}
        self.events = defaultdict(list)
        self.calls = {}

    def take(self, send: Send):
        at = datetime.fromtimestamp(send.at, UTC)
        event = parse_event({**send.event, "occurredAt": at.isoformat()}, at)
        if isinstance(event, AgentStatusChanged):
            self.people[event.agent_id]["status"] = event.status
            return None
        return self._add(event.call_id, event.event_id, event.fact(), at, events.Source.TELEPHONY, event.sequence)

    def lapse(self, now):
        """Unanswered offers go to the longest idle of the other agents. Returns the changed calls."""
        at = datetime.fromtimestamp(now, UTC)
        for call in list(self.calls.values()):
            if call.offer and call.offer_due_at <= at:
                lapsed = events.AnswerTimedOut(call.offer.agent_id, call.offer.attempt)
                view = self._add(call.id, new_id(), lapsed, call.offer_due_at, events.Source.SYSTEM)
                free = [key for key, person in self.people.items() if person["status"] == "available"]
                if free:
                    view = self._add(call.id, new_id(), events.Rerouted(free[0]), at, events.Source.SYSTEM)
                yield view

    def _add(self, call_id, event_id, fact, at, source, sequence=None):
        event = events.Event(event_id, call_id, fact, at, at, dated=True, source=source, sequence=sequence)
        self.events[call_id].append(event)
        folded = fold(self.events[call_id])
        assert folded.call and folded.verdicts[event_id] is Verdict.LEGAL, (
            folded.verdicts[event_id],
            fact,
            folded.call,
        )
        for effect in agent_effects(self.calls.get(call_id), folded.call, at):
            self.people[effect.agent_id]["status"] = effect.status.value
        self.calls[call_id] = folded.call
        return CallView.of(folded.call).model_dump(mode="json")


def play(habits, seconds, *, people=PEOPLE, seed=7, weights=QUEUES):
    """Play to the end, and close. Gives the sends in order, and the rules that judged each of them."""
    rules, sends = Rules(people), []
    call_centre = SimulatedCallCentre(Random(seed), habits, weights, people, run="test", now=NOON)

    def carry(due, now):
        for send in due:
            sends.append(send)
            call_centre.settle(send, rules.take(send), now)

    now = NOON
    while now < NOON + seconds:
        carry(call_centre.advance(now), now)
        for view in rules.lapse(now):
            call_centre.hear_call(view, now)
        for person in rules.people.values():
            call_centre.hear_agent(person, now)
        now = min(call_centre.next_at, now + 0.5)
    carry(call_centre.close(now), now)
    return sends, rules


@pytest.fixture(scope="module")
def busy_hour():
    return play(Habits(calls_per_minute=8, miss_share=0.15), 3600)


def of(sends, event):
    return [send for send in sends if send.event["event"] == event]


def test_every_simulated_call_is_legal_and_complete(busy_hour):
    sends, rules = busy_hour  # the rules have judged each event as it came
    assert len(rules.calls) == len(of(sends, "call_initiated")) > 400
    assert {call.status.value for call in rules.calls.values()} == {"ended"}


def test_all_kinds_of_things_happen(busy_hour):
    sends, rules = busy_hour
    life = "call_initiated call_routed call_answered call_hold call_resumed call_ended"
    assert {send.event["event"] for send in sends} == {*life.split(), "agent_status_changed"}
    assert {call.end_reason.value for call in rules.calls.values()} == {"completed", "abandoned"}
    assert any(call.rerouted and call.answered_at for call in rules.calls.values())
    assert any(call.longest_hold_seconds > 60 for call in rules.calls.values())


def test_no_interpreter_is_on_two_calls(busy_hour):
    _, rules = busy_hour
    talks = defaultdict(list)
    for call in rules.calls.values():
        if call.answered_at:
            talks[call.agent_id].append((call.answered_at, call.ended_at))
    for spans in talks.values():
        spans.sort()
        assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


def test_agents_speak_the_caller_s_language(busy_hour):
    _, rules = busy_hour
    calls = [call for call in rules.calls.values() if call.answered_at and not call.rerouted]
    served = [(call.agent_id, call.queue_id) for call in calls]
    queues = {person["id"]: person["queues"] for person in PEOPLE}
    assert served and all(queue_id in queues[agent_id] for agent_id, queue_id in served)


def test_the_record_agrees_with_telephony_s_measurements(busy_hour):
    _, rules = busy_hour
    for call in rules.calls.values():
        if call.answered_at:
            waited_seconds = (call.answered_at - call.initiated_at).total_seconds()
            assert call.wait_seconds == pytest.approx(waited_seconds, abs=0.002)
            assert call.duration_seconds == pytest.approx((call.ended_at - call.answered_at).total_seconds(), abs=0.002)


def test_event_ids_are_unique_and_numbered_within_the_call(busy_hour):
    sends, _ = busy_hour
    assert len({send.event["eventId"] for send in sends}) == len(sends)
    numbers = defaultdict(list)
    for send in sends:
        if "callId" in send.event:
            numbers[send.event["callId"]].append(send.event["sequence"])
    assert all(sequence == list(range(1, len(sequence) + 1)) for sequence in numbers.values())


def test_one_seed_is_one_floor():
    habits = Habits(calls_per_minute=60)
    assert play(habits, 120)[0] == play(habits, 120)[0] != play(habits, 120, seed=8)[0]


@pytest.mark.deep
def test_arrivals_are_a_poisson_stream_over_the_weights():
    sends, _ = play(Habits(calls_per_minute=120, patience_mean_seconds=1), 1500, people=[])
    arrivals = of(sends, "call_initiated")
    gaps = [later.at - sooner.at for sooner, later in pairwise(arrivals)]
    assert statistics.mean(gaps) == pytest.approx(0.5, rel=0.05)
    assert statistics.median(gaps) == pytest.approx(0.5 * math.log(2), rel=0.08)
    spanish = sum(send.event["queueId"] == "spanish" for send in arrivals) / len(arrivals)
    assert spanish == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("part", ["spanish=-1", "spanish=0", "spanish=nan", "spanish=many"])
def test_a_mix_that_cannot_be_drawn_from_is_refused(part: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit):
        mixed([part])
    assert f"--mix {part}: write QUEUE=WEIGHT" in capsys.readouterr().err


@pytest.mark.deep
def test_patience_is_exponential():
    sends, rules = play(Habits(calls_per_minute=120, patience_mean_seconds=40), 2400, people=[])
    waits = [call.wait_seconds for call in rules.calls.values()]
    assert {send.event["endReason"] for send in of(sends, "call_ended")} == {"abandoned"}
    assert statistics.mean(waits) == pytest.approx(40, rel=0.06)
    assert statistics.median(waits) == pytest.approx(40 * math.log(2), rel=0.08)


@pytest.mark.deep
def test_service_is_lognormal():
    many = [{"id": f"agent-{n}", "queues": list(QUEUES), "status": "available"} for n in range(60)]
    habits = Habits(calls_per_minute=12, service_log_mean=3.0, service_log_deviation=0.9, hold_share=0, miss_share=0)
    sends, _ = play(habits, 5400, people=many)
    logs = [math.log(send.event["duration"]) for send in of(sends, "call_ended") if send.event["duration"]]
    assert statistics.mean(logs) == pytest.approx(3.0, abs=0.12)
    assert statistics.stdev(logs) == pytest.approx(0.9, abs=0.1)


def test_offline_agents_sign_in_and_agents_return_after_a_miss():
    people = [{"id": "agent-1", "queues": ["spanish"], "status": "offline"}]
    sends, _ = play(Habits(calls_per_minute=2, miss_share=1.0), 900, people=people, weights={"spanish": 1})
    returns = of(sends, "agent_status_changed")
    assert returns[0].at == NOON
    assert len(returns) > 3 and {send.event["status"] for send in returns} == {"available"}
    assert not of(sends, "call_answered")


def test_an_answer_follows_switchboards_own_offer():
    call_centre = SimulatedCallCentre(
        Random(1), Habits(calls_per_minute=1, miss_share=0), {"spanish": 1}, [], run="test", now=NOON
    )
    [begun] = call_centre.advance(call_centre.next_at + 60)[:1]
    call_centre.hear_call(view(begun, 2, offer="agent-9"), begun.at + 1)
    answer = next(send for send in call_centre.advance(begun.at + 20) if send.event["event"] == "call_answered")
    assert answer.event["agentId"] == "agent-9"


def test_a_phone_stops_ringing_when_the_offer_goes_elsewhere():
    call_centre = SimulatedCallCentre(
        Random(1), Habits(calls_per_minute=1, miss_share=0), {"spanish": 1}, [], run="test", now=NOON
    )
    [begun] = call_centre.advance(call_centre.next_at + 60)[:1]
    call_centre.hear_call(view(begun, 2, offer="agent-9"), begun.at + 1)
    call_centre.hear_call(view(begun, 3, offer="agent-8"), begun.at + 1.1)
    call_centre.hear_call(view(begun, 2, offer="agent-9"), begun.at + 1.2)  # an older view, late
    answers = of(call_centre.advance(begun.at + 20), "call_answered")
    assert [send.event["agentId"] for send in answers if send.event["callId"] == begun.event["callId"]] == ["agent-8"]


def test_a_refused_route_is_tried_with_another_agent():
    people = [{"id": name, "queues": ["spanish"], "status": "available"} for name in ("agent-1", "agent-2")]
    call_centre = SimulatedCallCentre(
        Random(1), Habits(calls_per_minute=1, miss_share=0), {"spanish": 1}, people, run="test", now=NOON
    )
    sends = []
    while not of(sends, "call_routed"):
        sends += call_centre.advance(call_centre.next_at)
    begun, first = sends[0], sends[-1]
    assert call_centre.refuse(first, first.at + 0.1) == []
    routes = of(call_centre.advance(first.at + 10), "call_routed")
    assert routes[0].event["callId"] == begun.event["callId"]
    assert routes[0].event["agentId"] != first.event["agentId"]


def test_a_call_that_went_wrong_is_ended():
    call_centre = SimulatedCallCentre(
        Random(1), Habits(calls_per_minute=1, miss_share=0), {"spanish": 1}, PEOPLE, run="test", now=NOON
    )
    sends = call_centre.advance(NOON + 300)
    answered = of(sends, "call_answered")[-1]
    assert answered.event["callId"] in call_centre.lines
    [end] = call_centre.refuse(answered, NOON + 300)
    assert (end.event["event"], end.event["endReason"]) == ("call_ended", "failed")
    assert answered.event["callId"] not in call_centre.lines


def stumbling(rules, random):
    """A REST API over the rules. One request in four fails, before or after it was recorded."""
    recorded = {}

    def answer(request):
        event = json.loads(request.content)
        dice = random.random()
        if dice < 0.1:
            return httpx.Response(503, json={"title": "Not available for the moment"})
        outcome, status = ("replayed", 200) if event["eventId"] in recorded else ("applied", 201)
        if outcome == "applied":
            at = datetime.fromisoformat(event["occurredAt"]).timestamp()
            recorded[event["eventId"]] = rules.take(Send(at, (), {**event}))
        if dice < 0.25:
            raise httpx.ReadError("cut off")
        body = {"eventId": event["eventId"], "outcome": outcome, "call": recorded[event["eventId"]]}
        return httpx.Response(status, json=body)

    return Api("http://floor", "t", transport=httpx.MockTransport(answer)), recorded


@pytest.mark.anyio
async def test_telephony_sends_each_event_once_despite_failures():
    rules = Rules(PEOPLE)
    api, recorded = stumbling(rules, Random(3))
    habits = Habits(calls_per_minute=1200, service_log_mean=-1, ring_median_seconds=0.05, hold_mean_seconds=0.1)
    now = clock.now().timestamp()
    call_centre = SimulatedCallCentre(Random(2), habits, QUEUES, PEOPLE, run="test", now=now)
    telephony = Telephony(api, call_centre, None, clock.now)
    async with api:
        await telephony.run(now + 2.5)
        await telephony.close()
    assert telephony.sent.refused == 0 and not telephony.sent.problems
    assert telephony.sent.accepted == len(recorded) > 60
    assert api.repeats > 5
    assert {call.status.value for call in rules.calls.values()} == {"ended"}


@pytest.mark.anyio
async def test_a_refusal_is_printed_and_the_simulation_continues():
    def refuse(_):
        return httpx.Response(400, json={"title": "The request is not valid", "detail": "There is no queue q."})

    api = Api("http://floor", "t", transport=httpx.MockTransport(refuse))
    now = clock.now().timestamp()
    call_centre = SimulatedCallCentre(Random(2), Habits(calls_per_minute=1200), QUEUES, [], run="test", now=now)
    telephony = Telephony(api, call_centre, None, clock.now)
    async with api:
        await telephony.run(now + 0.5)
        await telephony.close()
    text = "call_initiated: 400 The request is not valid\n  There is no queue q."
    assert telephony.sent.problems == {text: telephony.sent.refused}
    assert call_centre.begun == telephony.sent.refused > 2 and not call_centre.lines


def view(begun, version, *, offer=None):
    offered = offer and {"agentId": offer, "attempt": 1}
    return {"id": begun.event["callId"], "version": version, "status": "waiting", "offer": offered}
