"""A simulated call centre. Pure: takes times and Switchboard's views, returns the events that telephony sends."""

import math
from collections.abc import Iterable, Mapping
from random import Random

from infra.simulator.agenda import Agenda, Planned
from infra.simulator.people import Habits, Interpreter, Json, Line, Phase, Send

ROUTING_SECONDS = (0.2, 1.0)
LONGEST_RING_SECONDS = 12.0
# Switchboard offers a waiting call by itself as soon as someone is free; telephony steps in where that did not happen.
LEFT_TO_SWITCHBOARD_SECONDS = 2.0
LOOK_SECONDS = 1.0


class SimulatedCallCentre:
    """All open calls and interpreters. Call `advance` at `next_at`, and pass on the views of the feed."""

    def __init__(
        self,
        rng: Random,
        habits: Habits,
        weights: Mapping[str, float],
        agents: Iterable[Json],
        *,
        run: str,
        now: float,
    ) -> None:
        self.lines: dict[str, Line] = {}
        self.interpreters: dict[str, Interpreter] = {}
        self.begun = 0
        self._rng = rng
        self._habits = habits
        self._queues = list(weights)
        self._weights = list(weights.values())
        self._run = run
        self._agenda = Agenda()
        self._agent_events = 0
        for agent in agents:
            self.hear_agent(agent, now)
            if agent["status"] == "offline":
                self._agenda.plan(now, "return", agent["id"])
        self._agenda.plan(now + self._until_next_caller(), "arrive")
        self._agenda.plan(now + LOOK_SECONDS, "look")

    @property
    def next_at(self) -> float:
        return self._agenda.next_at

    def advance(self, now: float) -> list[Send]:
        """The events of telephony up to now."""
        sends: list[Send] = []
        while planned := self._agenda.due(now):
            sends += self._act(planned)
        return sends

    def close(self, now: float) -> list[Send]:
        """End every open call: completed if it was answered, else abandoned."""
        return [self._end(line, now) for line in list(self.lines.values())]

    def hear_call(self, view: Json, now: float) -> None:
        """Switchboard's newest view of a call: its offers ring phones, its lapsed offers stop them."""
        line = self.lines.get(view["id"])
        if line is None or (line.view is not None and line.view["version"] >= view["version"]):
            return
        line.view = view
        if view["status"] == "ended":
            self._over(line)
        elif not line.route_pending:
            self._follow_offer(line, now)

    def hear_agent(self, agent: Json, now: float) -> None:
        person = self.interpreters.setdefault(agent["id"], Interpreter(agent["id"]))
        person.queues = frozenset(agent.get("queues") or ())
        if person.status != agent["status"]:
            person.status, person.idle_since = agent["status"], now
        if person.status == "away" and not person.due_back:
            person.due_back = True
            self._agenda.plan(now + self._about(self._habits.away_mean_seconds), "return", person.agent_id)

    def settle(self, send: Send, view: Json | None, now: float) -> None:
        """Switchboard has taken an event in, and answered with the call as it is now."""
        if line := self.lines.get(send.event.get("callId", "")):
            if send.event["event"] == "call_routed":
                line.route_pending = False
            if view is not None:
                self.hear_call(view, now)

    def refuse(self, send: Send, now: float) -> list[Send]:
        """Switchboard has refused an event. A refused route is repeated; after another refusal the call ends."""
        line = self.lines.get(send.event.get("callId", ""))
        if line is None:
            return []
        if send.event["event"] == "call_routed":
            if line.agent_id:
                self.interpreters[line.agent_id].status = "unknown"  # until the feed tells better
            line.route_pending = False
            self._stop_ringing(line, now)
            self._follow_offer(line, now)
            return []
        if send.event["event"] == "call_initiated":
            self._over(line)
            return []
        return [self._end(line, now, "failed")]

    # What happens by itself

    def _act(self, planned: Planned) -> list[Send]:
        match planned.action:
            case "arrive":
                return self._arrive(planned.at)
            case "look":
                self._agenda.plan(planned.at + LOOK_SECONDS, "look")
                return self._look(planned.at)
            case "return" | "finish":
                return self._come_back(self.interpreters[planned.subject], planned)
        line = self.lines.get(planned.subject)
        if line is None or (planned.step != line.step and planned.action != "give_up"):
            return []
        return self._act_on_line(line, planned)

    def _act_on_line(self, line: Line, planned: Planned) -> list[Send]:
        match planned.action:
            case "route":
                return self._route(line, planned.at)
            case "answer":
                return [self._answer(line, planned.at)]
            case "hold":
                return [self._hold(line, planned.at)]
            case "resume":
                return [self._resume(line, planned.at)]
            case "give_up" if line.phase in (Phase.TALKING, Phase.HELD):
                return []
            case _:
                return [self._end(line, planned.at)]

    def _arrive(self, at: float) -> list[Send]:
        self.begun += 1
        [queue_id] = self._rng.choices(self._queues, self._weights)
        line = Line(f"sim-{self._run}-{self.begun:05d}", queue_id, at, unoffered_since=at)
        self.lines[line.call_id] = line
        self._agenda.plan(at + self._until_next_caller(), "arrive")
        self._agenda.plan(at + self._about(self._habits.patience_mean_seconds), "give_up", line.call_id)
        self._agenda.plan(at + self._rng.uniform(*ROUTING_SECONDS), "route", line.call_id)
        medium = self._rng.choice(("voice", "voice", "video"))
        return [self._send(line, at, "call_initiated", type=medium, queueId=queue_id)]

    def _look(self, at: float) -> list[Send]:
        """Route those whom Switchboard left waiting though someone is free, the longest waiting first."""
        left = [
            line
            for line in self.lines.values()
            if line.phase is Phase.WAITING and at - line.unoffered_since >= LEFT_TO_SWITCHBOARD_SECONDS
        ]
        left.sort(key=lambda line: line.began_at)
        return [send for line in left for send in self._route(line, at, look_again=True)]

    def _route(self, line: Line, at: float, *, look_again: bool = False) -> list[Send]:
        if line.phase is not Phase.WAITING or (not look_again and self._someone_waits_before(line)):
            return []
        free = [person for person in self.interpreters.values() if person.is_free_for(line.queue_id)]
        # Switchboard offers longest idle first too; one who is only just free is about to be offered a call by it.
        ready = [person for person in free if at - person.idle_since >= LEFT_TO_SWITCHBOARD_SECONDS or not look_again]
        if not ready:
            return []
        person = min(ready, key=lambda person: person.idle_since)
        line.route_pending = True
        self._ring(line, person.agent_id, at)
        return [self._send(line, at, "call_routed", agentId=person.agent_id, routingTime=round(at - line.began_at, 3))]

    def _someone_waits_before(self, line: Line) -> bool:
        return any(
            other.phase is Phase.WAITING and other.queue_id == line.queue_id and other.began_at < line.began_at
            for other in self.lines.values()
        )

    def _follow_offer(self, line: Line, now: float) -> None:
        if line.phase not in (Phase.WAITING, Phase.RINGING) or line.view is None:
            return
        offered_to = (line.view.get("offer") or {}).get("agentId")
        if offered_to == line.agent_id:
            return
        self._stop_ringing(line, now)
        if offered_to is not None:
            self._ring(line, offered_to, now)

    def _ring(self, line: Line, agent_id: str, at: float) -> None:
        """A phone rings: its owner will pick up after some seconds, or not at all. Switchboard sees to the latter."""
        line.phase, line.agent_id = Phase.RINGING, agent_id
        line.step += 1
        person = self.interpreters.setdefault(agent_id, Interpreter(agent_id))
        person.engaged_by = line.call_id
        if self._rng.random() >= self._habits.miss_share:
            rings_seconds = self._rng.lognormvariate(math.log(self._habits.ring_median_seconds), 0.5)
            self._agenda.plan(at + min(rings_seconds, LONGEST_RING_SECONDS), "answer", line.call_id, line.step)

    def _stop_ringing(self, line: Line, now: float) -> None:
        self._release(line)
        line.phase, line.agent_id, line.unoffered_since = Phase.WAITING, None, now
        line.step += 1

    def _answer(self, line: Line, at: float) -> Send:
        talk_seconds = self._rng.lognormvariate(self._habits.service_log_mean, self._habits.service_log_deviation)
        line.phase, line.answered_at, line.ends_at = Phase.TALKING, at, at + talk_seconds
        line.step += 1
        if self._rng.random() < self._habits.hold_share:
            self._agenda.plan(at + self._rng.random() * talk_seconds, "hold", line.call_id, line.step)
        else:
            self._agenda.plan(line.ends_at, "end", line.call_id, line.step)
        return self._send(line, at, "call_answered", agentId=line.agent_id, waitTime=round(at - line.began_at, 3))

    def _hold(self, line: Line, at: float) -> Send:
        held_seconds = self._about(self._habits.hold_mean_seconds)
        line.phase, line.ends_at = Phase.HELD, line.ends_at + held_seconds
        line.step += 1
        self._agenda.plan(at + held_seconds, "resume", line.call_id, line.step)
        return self._send(line, at, "call_hold", holdDuration=0)

    def _resume(self, line: Line, at: float) -> Send:
        line.phase = Phase.TALKING
        line.step += 1
        self._agenda.plan(line.ends_at, "end", line.call_id, line.step)
        return self._send(line, at, "call_resumed")

    def _end(self, line: Line, at: float, reason: str | None = None) -> Send:
        talked = line.phase in (Phase.TALKING, Phase.HELD)
        duration_seconds = round(at - line.answered_at, 3) if talked else 0
        person = self.interpreters.get(line.agent_id or "")
        self._over(line)
        if talked and person is not None:
            person.status, person.idle_since = "wrap_up", at
            self._agenda.plan(at + self._about(self._habits.wrap_up_mean_seconds), "finish", person.agent_id)
        reason = reason or ("completed" if talked else "abandoned")
        return self._send(line, at, "call_ended", endReason=reason, duration=max(0, duration_seconds))

    def _come_back(self, person: Interpreter, planned: Planned) -> list[Send]:
        """From wrap-up, from a miss, or to work: unless Switchboard or a call has moved on with the interpreter."""
        waits_for = {"finish": ("wrap_up",), "return": ("away", "offline")}[planned.action]
        if planned.action == "return":
            person.due_back = False
        if person.status not in waits_for or person.engaged_by is not None:
            return []
        takes_break = planned.action == "finish" and self._rng.random() < self._habits.break_share
        status, reason = ("away", {"reason": "break"}) if takes_break else ("available", {})
        person.status, person.idle_since = status, planned.at
        if takes_break:
            person.due_back = True
            self._agenda.plan(planned.at + self._about(self._habits.away_mean_seconds), "return", person.agent_id)
        self._agent_events += 1
        event = {
            "event": "agent_status_changed",
            "eventId": f"sim-{self._run}-agent-{self._agent_events}",
            "agentId": person.agent_id,
            "status": status,
            **reason,
        }
        return [Send(planned.at, (person.agent_id,), event)]

    # What it is made of

    def _send(self, line: Line, at: float, event: str, **fields: object) -> Send:
        line.sent += 1
        identity = {"callId": line.call_id, "eventId": f"{line.call_id}.{line.sent}", "sequence": line.sent}
        keys = (line.call_id, str(fields["agentId"])) if "agentId" in fields else (line.call_id,)
        return Send(at, keys, {"event": event, **identity, **fields})

    def _over(self, line: Line) -> None:
        self._release(line)
        line.phase = Phase.OVER
        self.lines.pop(line.call_id, None)

    def _release(self, line: Line) -> None:
        person = self.interpreters.get(line.agent_id or "")
        if person is not None and person.engaged_by == line.call_id:
            person.engaged_by = None

    def _until_next_caller(self) -> float:
        return self._rng.expovariate(self._habits.calls_per_minute / 60)

    def _about(self, mean_seconds: float) -> float:
        return self._rng.expovariate(1 / mean_seconds)
