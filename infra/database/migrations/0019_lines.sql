-- The calls that seek an agent, by the lines in which they stand: a look at the heads costs the same, however many wait.
-- What most calls wait for is telephony's own answer: those are in no line. `seeks` says whose agents a call seeks, by
-- `routing.sought`; it changes as seldom as the other columns here, so that an update leaves the index alone (HOT).
alter table calls add column seeks text check (seeks in ('own', 'any'));
update calls_live set seeks = case when answered_at is null then 'any' else 'own' end
where status = 'waiting' and ended_at is null and offered_agent_id is null and not history
  and (attempts > 0 or state -> 'limits' ->> 'routing' = 'switchboard');
create index calls_live_in_line on calls_live (
    queue_id, seeks, coalesce(language, ''), coalesce(priority, -1), initiated_at, id
) where seeks is not null;
