"""What is counted of a call, in SQL: one definition for the calls themselves and for the sums that are kept of them."""

from typing import LiteralString

# What one call adds to each figure: the one definition, for calls and for rollups. In time is what is not flagged.
CONTRIBUTIONS: LiteralString = """
    c.initiated_at as start, c.queue_id, c.language, c.type, coalesce(c.agent_id, c.offered_agent_id) as agent_id,
    1 as offered,
    (c.answered_at is not null)::int as answered,
    (c.answered_at is not null and not 'sla_breached' = any(c.flags))::int as answered_in_time,
    coalesce((c.answered_at is null and c.end_reason = 'abandoned'), false)::int as abandoned,
    coalesce(c.answered_at is null and c.end_reason = 'abandoned' and not 'sla_breached' = any(c.flags), false)::int
        as short_abandons,
    coalesce((c.answered_at is null and c.end_reason = 'failed'), false)::int as failed,
    ('sla_breached' = any(c.flags))::int as sla_breached,
    (c.wait_seconds is not null)::int as waited,
    coalesce(round(c.wait_seconds * 1000), 0)::bigint as wait_ms,
    case when c.answered_at is null then 0 else coalesce(round(c.wait_seconds * 1000), 0)::bigint end
        as answered_wait_ms,
    coalesce(round(c.wait_seconds * 1000), 0)::bigint as longest_wait_ms,
    (c.answered_at is not null and c.ended_at is not null)::int as handled,
    case when c.answered_at is null or c.ended_at is null then 0
        else round(greatest(c.duration_seconds - c.hold_seconds, 0) * 1000)::bigint end as talk_ms,
    case when c.answered_at is null or c.ended_at is null then 0
        else round(c.hold_seconds * 1000)::bigint end as hold_ms,
    0 as acw_ms,
    c.misses,
    least(c.misses, 1) as missed,
    c.transfers,
    least(c.transfers, 1) as transferred,
    c.holds,
    least(c.holds, 1) as held,
    ('hold_exceeded' = any(c.flags))::int as hold_exceeded,
    round(c.hold_excess_seconds * 1000)::bigint as hold_excess_ms,
    ('short_call' = any(c.flags))::int as short_calls
"""
SUMS: LiteralString = """
    sum(offered)::bigint as offered, sum(answered)::bigint as answered,
    sum(answered_in_time)::bigint as answered_in_time, sum(abandoned)::bigint as abandoned,
    sum(short_abandons)::bigint as short_abandons, sum(failed)::bigint as failed,
    sum(sla_breached)::bigint as sla_breached, sum(waited)::bigint as waited, sum(wait_ms)::bigint as wait_ms,
    sum(answered_wait_ms)::bigint as answered_wait_ms, max(longest_wait_ms)::bigint as longest_wait_ms,
    sum(handled)::bigint as handled, sum(talk_ms)::bigint as talk_ms, sum(hold_ms)::bigint as hold_ms,
    sum(acw_ms)::bigint as acw_ms, sum(misses)::bigint as misses, sum(missed)::bigint as missed,
    sum(transfers)::bigint as transfers, sum(transferred)::bigint as transferred, sum(holds)::bigint as holds,
    sum(held)::bigint as held, sum(hold_exceeded)::bigint as hold_exceeded,
    sum(hold_excess_ms)::bigint as hold_excess_ms, sum(short_calls)::bigint as short_calls
"""
# The same, as rollups have them.
COLUMNS: LiteralString = """
    r.offered, r.answered, r.answered_in_time, r.abandoned, r.short_abandons, r.failed, r.sla_breached, r.waited,
    r.wait_ms, r.answered_wait_ms, r.longest_wait_ms, r.handled, r.talk_ms, r.hold_ms, r.acw_ms, r.misses, r.missed,
    r.transfers, r.transferred, r.holds, r.held, r.hold_exceeded, r.hold_excess_ms, r.short_calls
"""
