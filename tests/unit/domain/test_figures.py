"""The formulas over counts."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.figures import MetricsRow
from shared.contracts.figures_json import row_json
from shared.domain import figures
from shared.domain.figures import COUNTED, AgentTime, Tally

LEVELS = [
    figures.level_of_answered,
    figures.level_of_offered,
    figures.level_without_short_abandons,
    figures.level_with_abandons_in_time,
    figures.abandon_rate,
]
MEANS = [
    figures.asa_seconds,
    figures.mean_wait_seconds,
    figures.talk_seconds,
    figures.hold_seconds,
]


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    """Counts that calls can give."""
    answered, abandoned = draw(st.integers(0, 10_000)), draw(st.integers(0, 10_000))
    waits = draw(st.integers(0, 10**9))
    return Tally(
        offered=answered + abandoned,
        answered=answered,
        answered_in_time=draw(st.integers(0, answered)),
        abandoned=abandoned,
        short_abandons=draw(st.integers(0, abandoned)),
        waited=answered + abandoned,
        wait_ms=waits,
        answered_wait_ms=draw(st.integers(0, waits)),
        longest_wait_ms=draw(st.integers(0, waits)),
        handled=answered,
        talk_ms=draw(st.integers(0, 10**9)),
        hold_ms=draw(st.integers(0, 10**9)),
    )


@given(tallies())
def test_a_share_is_between_0_and_1_and_null_without_calls(tally: Tally) -> None:
    for level in LEVELS:
        share = level(tally)
        assert share is None or 0 <= share <= 1
    assert (figures.level_of_offered(tally) is None) == (tally.answered + tally.abandoned == 0)


@given(tallies())
def test_to_forgive_abandons_never_lowers_the_level(tally: Tally) -> None:
    strict, ignored = figures.level_of_offered(tally), figures.level_without_short_abandons(tally)
    kind = figures.level_with_abandons_in_time(tally)
    assert strict is None or ((ignored is None or strict <= ignored) and kind is not None and strict <= kind)


@given(tallies(), st.builds(AgentTime, *[st.integers(0, 10**9)] * 5))
def test_handle_time_is_the_sum_of_its_parts(tally: Tally, time: AgentTime) -> None:
    whole = figures.aht_seconds(tally, time)
    parts = [figures.talk_seconds(tally), figures.hold_seconds(tally), figures.acw_seconds(tally, time)]
    assert whole == (None if None in parts else pytest.approx(sum(part for part in parts if part is not None)))


@given(tallies(), tallies(), tallies())
def test_tallies_add_in_any_order(one: Tally, two: Tally, three: Tally) -> None:
    assert (one + two) + three == three + (two + one)
    assert one + Tally() == one


def test_nothing_counted_gives_null_everywhere() -> None:
    assert {rule(Tally()) for rule in (*LEVELS, *MEANS)} == {None}
    for time in (None, AgentTime()):
        assert figures.acw_seconds(Tally(), time) is figures.aht_seconds(Tally(), time) is None
    assert {rule(AgentTime()) for rule in (figures.occupancy, figures.occupancy_without_away)} == {None}


def test_the_real_day_by_its_counts() -> None:
    day = Tally(answered=1511, answered_in_time=464, abandoned=726, short_abandons=237)
    assert [f"{level(day):.3%}" for level in LEVELS] == ["30.708%", "20.742%", "23.200%", "31.337%", "32.454%"]


def test_every_count_is_a_whole_number() -> None:
    assert {type(getattr(Tally(), name)) for name in COUNTED} == {int}


@given(tallies(), st.none() | st.builds(AgentTime, *[st.integers(0, 10**9)] * 5))
def test_a_row_travels_as_its_contract_says(tally: Tally, time: AgentTime | None) -> None:
    begin, end = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 1, 31, 13, tzinfo=UTC)
    row = row_json(begin, end, {"queue": "q", "language": None}, tally, time, {"offered": "/api/calls"})
    assert MetricsRow.model_validate_json(orjson.dumps(row)).model_dump(mode="json") == row
