-- Reports that the sample interpreters signed in, for agent time. Local runs load it after sample.sql.
insert into agent_events (id, agent_id, status, at, received_at, fingerprint)
select 'set-up:' || id, id, status, status_since, status_since, '' from agents a
where status = 'available' and call_id is null and not exists (select from agent_events e where e.agent_id = a.id)
on conflict (id) do nothing;
