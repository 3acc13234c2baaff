"""How a waiting call finds an agent, as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.call import Call, Offer, Status
from shared.domain.events import Limits
from shared.domain.routing import Routing, Search, Sought, searches, sought

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
TELEPHONY = Call("call-1", "voice", "own", None, Limits(), START, START)
SWITCHBOARD = replace(TELEPHONY, limits=Limits(routing="switchboard"))
OVERFLOWING = Routing(overflow_seconds=20, overflow_queue_id="other")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(TELEPHONY, None, id="telephony makes the first offer"),
        pytest.param(replace(TELEPHONY, attempts=1), Sought.ANY, id="telephony's offer came to nothing"),
        pytest.param(SWITCHBOARD, Sought.ANY, id="the first offer is ours"),
        pytest.param(replace(SWITCHBOARD, answered_at=START), Sought.OWN, id="spoken with before"),
        pytest.param(replace(SWITCHBOARD, offer=Offer("a", START, 1)), None, id="a phone rings"),
        pytest.param(replace(SWITCHBOARD, status=Status.ACTIVE), None, id="it was answered"),
        pytest.param(replace(SWITCHBOARD, status=Status.ENDED), None, id="over"),
        pytest.param(replace(SWITCHBOARD, history=True), None, id="history moves no agents"),
    ],
)
def test_which_calls_seek_an_agent(call: Call, expected: Sought | None) -> None:
    assert sought(call) is expected


@pytest.mark.parametrize(
    ("call", "routing", "seconds", "expected"),
    [
        pytest.param(SWITCHBOARD, Routing(), 99, [Search("own")], id="nowhere else to go"),
        pytest.param(SWITCHBOARD, OVERFLOWING, 19.9, [Search("own")], id="not yet"),
        pytest.param(SWITCHBOARD, OVERFLOWING, 20, [Search("own"), Search("other")], id="own agents first"),
        pytest.param(
            replace(SWITCHBOARD, tried=("a",)),
            OVERFLOWING,
            20,
            [Search("own", ("a",)), Search("other", ("a",)), Search("own"), Search("other")],
            id="who was tried comes last",
        ),
        pytest.param(
            replace(SWITCHBOARD, answered_at=START), OVERFLOWING, 20, [Search("own")], id="spoken with before"
        ),
    ],
)
def test_where_to_look_best_first(call: Call, routing: Routing, seconds: float, expected: list[Search]) -> None:
    assert list(searches(call, routing, START + timedelta(seconds=seconds))) == expected
