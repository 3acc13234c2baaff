-- A month by agent reads a row an agent and day, not one for each queue, language and type that the agent had that day:
-- a quarter as many, and the fewer the more queues an agent serves.
alter table call_rollups drop constraint call_rollups_grain_check;
alter table call_rollups add constraint call_rollups_grain_check
    check (grain in ('5m', '1h', '1d', '1h agent', '1d agent', '1d agent only'));

insert into call_rollups
select '1d agent only', start, '', '', '', agent_id, sum(offered), sum(answered), sum(answered_in_time), sum(abandoned),
    sum(short_abandons), sum(failed), sum(sla_breached), sum(waited), sum(wait_ms), sum(answered_wait_ms),
    max(longest_wait_ms), sum(handled), sum(talk_ms), sum(hold_ms), sum(acw_ms), sum(misses), sum(missed),
    sum(transfers), sum(transferred), sum(holds), sum(held), sum(hold_exceeded), sum(hold_excess_ms), sum(short_calls)
from call_rollups where grain = '1d agent' group by start, agent_id;
