"""The sums of agents' intervals in SQL: updated with the intervals, recomputed from them, compared."""

from typing import LiteralString

from shared.adapters.postgres.columns import Columns, rows_from

# Statuses by the names of their sums.
_STATUSES: dict[LiteralString, LiteralString] = {
    "ringing_ms": "offered", "on_call_ms": "on_call", "wrap_up_ms": "wrap_up", "available_ms": "available",
    "away_ms": "away",
}  # fmt: skip
NAMES: tuple[LiteralString, ...] = tuple(_STATUSES)
SUMS: LiteralString = ", ".join(
    [f"coalesce(sum(ms) filter (where status = '{status}'), 0)::bigint as {name}" for name, status in _STATUSES.items()]
)
_GRAINS: LiteralString = """(values
    ('5m', interval '5 minutes', false), ('1h', interval '1 hour', false), ('1d', interval '1 day', false),
    ('1h agent', interval '1 hour', true), ('1d agent', interval '1 day', true)) as g (grain, width, by_agent)
"""
LAST_FIRST: LiteralString = "s.began desc, s.of_call desc, s.source desc, s.step desc"


def overlapping(agents: LiteralString, beginning: LiteralString, ending: LiteralString) -> LiteralString:
    """For a lateral join: the intervals of one agent that overlap a range, uncut. Reads only these rows."""
    return f"""(
        select s.* from agent_intervals s
        where s.agent_id = {agents} and s.began >= {beginning} and s.began < {ending}
        union all (
            select s.* from agent_intervals s where s.agent_id = {agents} and s.began < {beginning}
            order by {LAST_FIRST} limit 1
        )
    )"""


def _counted(intervals: LiteralString) -> LiteralString:
    """The rows of sums for intervals, each with its sign, cut at 5 minutes.

    An interval that begins and ends in the same millisecond has no row.
    """
    return f"""
        select g.grain, date_bin(g.width, b, '2000-01-01 00:00:00+00') as start,
            case when g.by_agent then agent_id else '' end as agent_id, {SUMS}
        from (
            select agent_id, status, b, s.sign * round(1000 * extract(epoch from
                least(until, b + interval '5 minutes') - greatest(since, b))) as ms
            from (
                select *, date_trunc('milliseconds', began) as since, date_trunc('milliseconds', ended) as until
                from {intervals} where status <> 'offline'
                    and date_trunc('milliseconds', ended) > date_trunc('milliseconds', began)
            ) s, generate_series(date_bin('5 minutes', since, '2000-01-01 00:00:00+00'), until, interval '5 minutes') b
            where b < until
        ) piece cross join {_GRAINS} group by 1, 2, 3
    """


SIGNED: Columns = {
    "agent_id": "text", "status": "text", "began": "timestamptz", "ended": "timestamptz", "sign": "int",
}  # fmt: skip
# Updates the sums for added (1) and removed (-1) intervals.
COUNT: LiteralString = f"""
insert into agent_rollups as r {_counted(rows_from(SIGNED))} order by 1, 2, 3
on conflict (grain, start, agent_id) do update
set {", ".join([f"{name} = r.{name} + excluded.{name}" for name in NAMES])}
"""

# Sums by month. No row of any grain extends over two months. A removed interval leaves a sum of 0, which equals no row.
_MONTH: LiteralString = _counted(
    f"""(
        select s.agent_id, s.status, greatest(s.began, %(beginning)s) as began, least(s.ended, %(ending)s) as ended,
            1 as sign
        from agents a, lateral {overlapping("a.id", "%(beginning)s", "%(ending)s")} s
        where s.ended > %(beginning)s
    ) clipped"""
)
_OF_MONTH: LiteralString = "start >= %(beginning)s and start < %(ending)s"
EMPTY_MONTH: LiteralString = f"delete from agent_rollups where {_OF_MONTH}"
COUNT_MONTH: LiteralString = f"insert into agent_rollups {_MONTH}"
DIFFERING: LiteralString = f"""
with counted as ({_MONTH}), kept as (
    select * from agent_rollups where {_OF_MONTH} and ({" + ".join([f"abs({name})" for name in NAMES])}) > 0
)
select count(*) from ((table counted except table kept) union all (table kept except table counted)) found
where %(beginning)s >= (select kept_since from agent_time_progress) -- a month may have been dropped by now
"""
