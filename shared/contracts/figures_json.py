"""A row of `contracts.metrics` as the plain JSON that travels, made in one step: a day by agent has a thousand of them.

A test holds the two together.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from shared.contracts.base import rfc3339
from shared.contracts.wire import Json
from shared.domain import figures
from shared.domain.figures import AgentTime, Tally

_moment = lru_cache(512)(rfc3339)  # rows by the thousand share their buckets


def row_json(
    begin: datetime, end: datetime, keys: Mapping[str, str | None], tally: Tally, time: AgentTime | None
) -> Json:
    """As `MetricsRow`, but for its links. `keys` by the names of `GroupName`."""
    return {
        "start": _moment(begin),
        "end": _moment(end),
        "queueId": keys.get("queue"),
        "agentId": keys.get("agent"),
        "language": keys.get("language"),
        "type": keys.get("type"),
        "offered": tally.offered,
        "answered": tally.answered,
        "answeredInTime": tally.answered_in_time,
        "abandoned": tally.abandoned,
        "shortAbandons": tally.short_abandons,
        "failed": tally.failed,
        "slaBreached": tally.sla_breached,
        "serviceLevel": {
            "ofAnswered": figures.level_of_answered(tally),
            "ofOffered": figures.level_of_offered(tally),
            "withoutShortAbandons": figures.level_without_short_abandons(tally),
            "withAbandonsInTime": figures.level_with_abandons_in_time(tally),
        },
        "abandonRate": figures.abandon_rate(tally),
        "asa": figures.asa_seconds(tally),
        "meanWaitOfAll": figures.mean_wait_seconds(tally),
        "longestWait": tally.longest_wait_ms / 1000 if tally.waited else None,
        "handleTime": {
            "aht": figures.aht_seconds(tally, time),
            "talk": figures.talk_seconds(tally),
            "hold": figures.hold_seconds(tally),
            "acw": figures.acw_seconds(tally, time),
        },
        "handled": tally.handled,
        "occupancy": time and figures.occupancy(time),
        "occupancyWithoutAway": time and figures.occupancy_without_away(time),
        "agentTime": time and _seconds(time),
        "rona": tally.misses,
        "missed": tally.missed,
        "transfers": tally.transfers,
        "transferred": tally.transferred,
        "holds": tally.holds,
        "held": tally.held,
        "holdExceeded": tally.hold_exceeded,
        "holdExcessSeconds": tally.hold_excess_ms / 1000,
        "shortCalls": tally.short_calls,
    }


def _seconds(time: AgentTime) -> Json:
    return {
        "staffed": time.staffed_ms / 1000,
        "ringing": time.ringing_ms / 1000,
        "onCall": time.on_call_ms / 1000,
        "wrapUp": time.wrap_up_ms / 1000,
        "available": time.available_ms / 1000,
        "away": time.away_ms / 1000,
    }
