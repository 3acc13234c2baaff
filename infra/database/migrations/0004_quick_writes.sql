-- What an event costs. An update that changes no indexed column leaves the indexes alone (HOT), and `status` counts as
-- indexed where a predicate names it: these predicates name what changes once in a call's life, or never.
drop index calls_newest;
drop index calls_live;
-- GET /api/calls, newest first, page by page
create index calls_newest on calls (initiated_at desc, id desc) where initiated_at is not null;
-- the live floor: few rows of many, whatever the history
create index calls_live on calls (queue_id, initiated_at) where ended_at is null and initiated_at is not null;
alter table calls set (fillfactor = 60);

-- The recorder writes an event and a timer after their call, in one transaction that holds the call's lock, and nobody
-- deletes a call. To look the call up and lock it again cost a quarter of the insert.
alter table events drop constraint events_call_id_fkey;
alter table timers drop constraint timers_call_id_fkey;
