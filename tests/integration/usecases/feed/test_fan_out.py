"""Two hundred sockets over forty queues: each gets exactly what it was owed, asserted socket by socket."""

import asyncio
import random
from collections import Counter, defaultdict

import pytest

from tests.support.calls import answered, initiated, routed
from tests.support.examples import few_and_many
from tests.support.harness import answer_of
from tests.support.stage import Stage, staged

QUEUES = [f"queue-{number}" for number in range(40)]
SOCKETS, BATCH = 200, 100


def lives(chance: random.Random, calls: int) -> list[tuple[str, str, dict]]:
    """Five events for each of the interleaved calls: call, queue after it, event. Some change queue."""
    waiting = []
    for number in range(calls):
        call, queue, other = f"c{number}", chance.choice(QUEUES), chance.choice(QUEUES)
        moved = {"event": "call_transferred", "callId": call, "queueId": other}
        ended = {"event": "call_ended", "callId": call, "endReason": "completed", "duration": 9}
        resumed = {"event": "call_hold", "callId": call, "holdDuration": 1}
        middle = (other, moved) if chance.random() < 0.2 else (queue, resumed)
        last = middle[0], ended
        agent = f"agent-{number}"
        steps = [(queue, initiated(call, queue)), (queue, routed(call, agent)), (queue, answered(call)), middle, last]
        waiting.append([(call, where, {**event, "eventId": f"{call}-{n}"}) for n, (where, event) in enumerate(steps)])
    events = []
    while waiting:
        at = chance.randrange(min(len(waiting), 300))
        events.append(waiting[at].pop(0))
        if not waiting[at]:
            del waiting[at]
    return events


def subscriptions(chance: random.Random) -> dict[str, tuple[set[str], set[str]]]:
    """Of each socket what it asks for, and what its token permits."""
    return {
        f"socket-{number}": (
            set(chance.sample(QUEUES, chance.choice([0, 1, 1, 1, 2, 5]))),
            {"*"} if chance.random() < 0.5 else set(chance.sample(QUEUES, 20)),
        )
        for number in range(SOCKETS)
    }


def without(versions: dict[str, int], calls: set[str]) -> dict[str, int]:
    return {call: version for call, version in versions.items() if call not in calls}


@pytest.mark.parametrize("calls", few_and_many(200, 2000))
def test_every_socket_gets_exactly_its_entries(database_url, redis_server, calls: int):
    chance = random.Random(4)
    events, sockets = lives(chance, calls), subscriptions(chance)
    assert len(events) == 5 * calls

    async def play():
        async with staged(database_url, redis_server.url) as stage:
            owed, views = await send_all(stage)
        for socket, (topics, permitted) in sockets.items():
            may_see = set(QUEUES) if "*" in permitted else permitted
            expected = Counter(event for event, (queues, at) in owed.items() if queues & topics and at in may_see)
            latest: dict[str, int] = {}
            left: set[tuple[str, int]] = set()
            for call, version, queues, at in views:
                if queues & topics and at in may_see:
                    latest[call] = max(latest.get(call, 0), version)
                elif queues & topics and queues & may_see:
                    left.add((call, version))
            assert Counter(stage.gateway.events(socket)) == expected, socket
            assert {(gone["id"], gone["version"]) for gone in stage.gateway.left(socket)} == left, socket
            gone = {call for call, _ in left}  # a departure replaces the view that waited in the same frame
            seen = stage.gateway.calls(socket)
            assert all(seen.get(call, 0) <= latest.get(call, 0) for call in gone), socket
            assert without(seen, gone) == without(latest, gone), socket
        assert sum(bool(stage.gateway.frames[socket]) for socket in sockets) > SOCKETS / 2

    async def send_all(stage: Stage):
        """Record all. Returns for each event, and for each view, the queues concerned and where the call is then."""
        connection = stage.database.connection()
        connection.execute("insert into queues (id, name) select id, id from unnest(%s::text[]) as q (id)", [QUEUES])
        for socket, (topics, permitted) in sockets.items():
            stage.listen(socket, *(f"queue:{queue}" for queue in topics), queues=permitted)
        owed: dict[str, tuple[set[str], str]] = {}
        views: list[tuple[str, int, set[str], str]] = []
        at: dict[str, str] = {}
        async with stage.relay() as running:
            await running.ready()
            for start in range(0, len(events), BATCH):
                batch = events[start : start + BATCH]
                results = await asyncio.to_thread(stage.ingest.submit, [event for _, _, event in batch])
                assert {result.status for result in results} == {201}
                touched: dict[str, set[str]] = defaultdict(set)
                for call, queue, _ in batch:
                    touched[call] |= {at.get(call, queue)}
                at |= {call: queue for call, queue, _ in batch}
                versions, moved = dict.fromkeys(touched, 0), set[str]()
                for (call, _, event), result in zip(batch, results, strict=True):
                    queues = {at[call]} if call in moved else touched[call] | {at[call]}
                    owed[event["eventId"]] = queues, at[call]
                    moved |= {call} if event["event"] == "call_transferred" else set()
                    assert isinstance(result.body, dict)
                    versions[call] = max(versions[call], answer_of(result)["call"]["version"])
                if start % (5 * BATCH) == 0:  # a relay that falls far behind may leave events out, and would say so
                    await running.relay_store.until_cleared(*owed)
                views.extend((call, number, touched[call] | {at[call]}, at[call]) for call, number in versions.items())
            await running.relay_store.until_cleared(*owed)
            assert stage.owed() == set()
        return owed, views

    asyncio.run(play())
