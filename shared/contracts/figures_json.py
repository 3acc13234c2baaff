"""The rows of `GET /api/metrics` as JSON, made without an instance of the view. A response can have 2,000 rows."""

from collections.abc import Mapping
from datetime import datetime

from shared.contracts.figures import AgentTimeView, HandleTime, MetricsRow, ServiceLevel
from shared.contracts.plain_json import Json, compile_json
from shared.domain import figures
from shared.domain.figures import AgentTime, Tally

_make_row, _make_level, _make_handle_time, _make_agent_time = map(
    compile_json, (MetricsRow, ServiceLevel, HandleTime, AgentTimeView)
)


def row_json(
    begin: datetime,
    end: datetime,
    keys: Mapping[str, str | None],
    tally: Tally,
    time: AgentTime | None,
    links: object,
) -> Json:
    """Return a `MetricsRow`. `keys` are named as in `GroupName`; `links` are a mapping or encoded JSON."""
    return _make_row(
        start=begin,
        end=end,
        queue_id=keys.get("queue"),
        agent_id=keys.get("agent"),
        language=keys.get("language"),
        type=keys.get("type"),
        offered=tally.offered,
        answered=tally.answered,
        answered_in_time=tally.answered_in_time,
        abandoned=tally.abandoned,
        short_abandons=tally.short_abandons,
        failed=tally.failed,
        sla_breached=tally.sla_breached,
        service_level=_make_level(
            of_answered=figures.level_of_answered(tally),
            of_offered=figures.level_of_offered(tally),
            without_short_abandons=figures.level_without_short_abandons(tally),
            with_abandons_in_time=figures.level_with_abandons_in_time(tally),
        ),
        abandon_rate=figures.abandon_rate(tally),
        asa=figures.asa_seconds(tally),
        mean_wait_of_all=figures.mean_wait_seconds(tally),
        longest_wait=tally.longest_wait_ms / 1000 if tally.waited else None,
        handle_time=_make_handle_time(
            aht=figures.aht_seconds(tally, time),
            talk=figures.talk_seconds(tally),
            hold=figures.hold_seconds(tally),
            acw=figures.acw_seconds(tally, time),
        ),
        handled=tally.handled,
        occupancy=time and figures.occupancy(time),
        occupancy_without_away=time and figures.occupancy_without_away(time),
        agent_time=time and _agent_time_json(time),
        rona=tally.misses,
        missed=tally.missed,
        transfers=tally.transfers,
        transferred=tally.transferred,
        holds=tally.holds,
        held=tally.held,
        hold_exceeded=tally.hold_exceeded,
        hold_excess_seconds=tally.hold_excess_ms / 1000,
        short_calls=tally.short_calls,
        links=links,
    )


def _agent_time_json(time: AgentTime) -> Json:
    return _make_agent_time(
        staffed=time.staffed_ms / 1000,
        ringing=time.ringing_ms / 1000,
        on_call=time.on_call_ms / 1000,
        wrap_up=time.wrap_up_ms / 1000,
        available=time.available_ms / 1000,
        away=time.away_ms / 1000,
    )
