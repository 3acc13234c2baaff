-- The schema: every table, column, index, function and trigger with its purpose.
--
-- infra/database/schema.sql is the reference for the current version. migrations/0001_first_release.sql is a copy of it
-- as of the first release. tests/integration/infra/database/test_schema.py proves that the migrations build the same
-- database. Until the first release, edit schema.sql and copy it. Afterwards, edit schema.sql and add a migration.
--
-- Contents: positions, queues, calls, events, timers, outbox, agents, agent time, figures, relay, retention.


-- Positions ----------------------------------------------------------------------------------------------------------
-- A position is a place in the order of committed transactions: the transaction id, plus the offset of the epoch.
-- Restoring a database begins a new epoch (infra/operation/restored.sql replaces epoch_start and epoch_offset), because
-- clients may know higher positions of transactions that the copy does not contain.

create function epoch_start() returns bigint language sql immutable parallel safe return 0;
comment on function epoch_start() is 'The first position of the current epoch.';

create function epoch_offset() returns bigint language sql immutable parallel safe return 0;
comment on function epoch_offset() is 'Added to a transaction id to give its position.';

create function this_position() returns bigint language sql stable
    return epoch_offset() + pg_current_xact_id()::text::bigint;
comment on function this_position() is 'The position of the current transaction.';

create function horizon_position() returns bigint language sql stable
    return epoch_offset() + pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
comment on function horizon_position() is 'Every transaction below this position has ended.';

create function next_position() returns bigint language sql stable
    return epoch_offset() + pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
comment on function next_position() is 'The first position that no transaction has yet.';


-- Queues -------------------------------------------------------------------------------------------------------------

create table queues (
    id text primary key,
    name text not null,
    language text,
    -- limits, copied into each call when it begins in the queue
    sla_seconds double precision not null default 30,
    answer_seconds double precision not null default 15,
    hold_seconds double precision not null default 60,
    short_call_seconds double precision not null default 10,
    wrap_up_seconds double precision not null default 0,
    -- routing
    routing text not null default 'telephony' check (routing in ('telephony', 'switchboard')),
    strategy text not null default 'longest_idle'
        check (strategy in ('longest_idle', 'least_occupied', 'most_skilled')),
    misses_before_away int not null default 1 check (misses_before_away > 0),
    priority int not null default 0 check (priority between 0 and 9),
    aging_seconds double precision not null default 60 check (aging_seconds > 0),
    overflow_seconds double precision check (overflow_seconds >= 0),
    overflow_queue_id text constraint queues_overflow_known references queues,
    constraint queues_limits_positive check (
        sla_seconds > 0 and answer_seconds > 0 and hold_seconds > 0 and short_call_seconds >= 0 and wrap_up_seconds >= 0
    ),
    constraint queues_overflow_whole check ((overflow_seconds is null) = (overflow_queue_id is null)),
    constraint queues_overflow_elsewhere check (overflow_queue_id <> id)
);
comment on table queues is 'Queues, as they are set up.';
comment on column queues.id is 'Identifier that telephony uses.';
comment on column queues.name is 'Name that the dashboard shows.';
comment on column queues.language is 'Language of calls that state none.';
comment on column queues.sla_seconds is 'A call that waits longer gets the flag sla_breached.';
comment on column queues.answer_seconds is 'An offer that rings longer counts as missed.';
comment on column queues.hold_seconds is 'A single hold that lasts longer gets the flag hold_exceeded.';
comment on column queues.short_call_seconds is 'An answered call that lasts less gets the flag short_call.';
comment on column queues.wrap_up_seconds is 'Wrap-up of the agent after a call.';
comment on column queues.routing is
    'telephony: the telephone system offers calls first; switchboard: Switchboard does.';
comment on column queues.strategy is 'Which free agent gets a call.';
comment on column queues.misses_before_away is 'An agent becomes away after this number of missed offers in a row.';
comment on column queues.priority is 'Priority of calls that have none of their own: 0 lowest, 9 highest.';
comment on column queues.aging_seconds is 'One step of priority is worth this many seconds of waiting.';
comment on column queues.overflow_seconds is 'A call that waits longer may get an agent of the overflow queue.';
comment on column queues.overflow_queue_id is 'Queue that also serves calls which waited for overflow_seconds.';
comment on constraint queues_overflow_known on queues is 'The overflow queue exists.';
comment on constraint queues_overflow_whole on queues is 'Overflow has both a time and a queue, or neither.';
comment on constraint queues_overflow_elsewhere on queues is 'A queue does not overflow into itself.';
comment on constraint queues_limits_positive on queues is 'Limits are positive; wrap-up and short calls may be 0.';


-- Calls --------------------------------------------------------------------------------------------------------------
-- `calls` is one table for readers and several for writers: every call is recorded in calls_live, and calls that ended
-- a while ago are moved to a partition per month, the archive. A late event moves a call back. Dropping a partition
-- removes a month.
--
-- Columns that are filtered, sorted, joined or counted are separate. Long ones come first, so that rows need little
-- padding.

create table calls (
    id text not null,
    -- when
    archive_time timestamptz not null default 'infinity',
    recorded_since timestamptz,
    initiated_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    due_at timestamptz,
    settled_at timestamptz,
    -- how long
    wait_seconds double precision,
    duration_seconds double precision,
    hold_seconds double precision not null default 0,
    longest_hold_seconds double precision not null default 0,
    hold_excess_seconds double precision not null default 0,
    -- how many
    version int not null default 0,
    attempts int not null default 0,
    misses int not null default 0,
    transfers int not null default 0,
    holds int not null default 0,
    -- which call
    priority int check (priority between 0 and 9),
    history boolean not null default false,
    status text check (status in ('waiting', 'active', 'on_hold', 'ended')),
    type text,
    queue_id text,
    language text,
    -- which agents
    agent_id text,
    offered_agent_id text,
    missed_by text[],
    seeks text check (seeks in ('own', 'any')),
    -- result
    end_reason text,
    flags text[] not null default '{}',
    -- the rest
    state json not null default '{}',
    constraint calls_begun check (status is null or (queue_id is not null and initiated_at is not null))
) partition by range (archive_time);
comment on table calls is
    'Calls, each computed from its events. A row without a status holds events that arrived before their call began. '
    'Readers do not see it.';
comment on column calls.id is 'Identifier of the call, given by telephony.';
comment on column calls.archive_time is 'Chooses the partition: infinity in calls_live, initiated_at in the archive.';
comment on column calls.recorded_since is
    'When the first event of the call was recorded: older months of the log contain none. Null: look in all months.';
comment on column calls.initiated_at is 'When the call began.';
comment on column calls.answered_at is 'When the call was first answered.';
comment on column calls.ended_at is 'When the call ended.';
comment on column calls.due_at is 'Next deadline of the call, for the order by urgency.';
comment on column calls.settled_at is 'When a call that has ended was last written. Null while it goes on.';
comment on column calls.wait_seconds is 'Time until the answer, or until the end of a call that was not answered.';
comment on column calls.duration_seconds is 'Time from the answer to the end.';
comment on column calls.hold_seconds is 'Total time on hold.';
comment on column calls.longest_hold_seconds is 'Duration of the longest hold.';
comment on column calls.hold_excess_seconds is 'Time on hold beyond the queue''s limit, over all holds.';
comment on column calls.version is 'Rises with every change. Clients keep the highest.';
comment on column calls.attempts is 'Number of offers to agents.';
comment on column calls.misses is 'Number of missed offers.';
comment on column calls.transfers is 'Number of transfers.';
comment on column calls.holds is 'Number of holds.';
comment on column calls.priority is 'The call''s own priority. Null: the queue''s.';
comment on column calls.history is 'The call was imported: it starts no timers and moves no agents.';
comment on column calls.status is 'Current status. Null: no valid event yet.';
comment on column calls.type is 'voice or video.';
comment on column calls.queue_id is 'Queue in which the call is, or was last.';
comment on column calls.language is 'Language that the caller needs. Null: any.';
comment on column calls.agent_id is 'Agent who answered last.';
comment on column calls.offered_agent_id is 'Agent whose phone rings.';
comment on column calls.missed_by is 'Agents who missed the call, one entry per missed offer. Null: none.';
comment on column calls.seeks is
    'Agents whom a waiting call seeks: own (of its queue) or any (also of the overflow queue). Null: it seeks none.';
comment on column calls.end_reason is 'completed, abandoned or failed.';
comment on column calls.flags is 'Alerts: sla_breached, hold_exceeded, short_call, rerouted.';
comment on column calls.state is 'Remaining fields of the call, as JSON text. No fast query reads inside.';
comment on constraint calls_begun on calls is 'A call with a status has a queue and a beginning.';

create table calls_live partition of calls (primary key (id)) for values from ('infinity') to (maxvalue)
    -- room on each page for the next two versions of its rows, so that most updates touch no index (HOT)
    with (fillfactor = 40);
comment on table calls_live is 'Calls that are not archived. All calls are recorded here.';

create table calls_other partition of calls (primary key (id)) default;
comment on table calls_other is 'Archived calls whose month has no partition.';

-- Few indexes, on columns that change at most once in the life of a call, so that most updates are HOT.
create index calls_live_newest on calls_live (initiated_at desc, id desc) where initiated_at is not null;
comment on index calls_live_newest is 'GET /api/calls: newest first, page by page.';
create index calls_live_open on calls_live (queue_id, initiated_at) where ended_at is null and initiated_at is not null;
comment on index calls_live_open is 'Calls in progress, by queue.';
create index calls_live_settled on calls_live (settled_at) where settled_at is not null;
comment on index calls_live_settled is 'Calls to archive, oldest first.';
create index calls_live_queue_order on calls_live (
    queue_id, seeks, coalesce(language, ''), coalesce(priority, -1), initiated_at, id
) where seeks is not null;
comment on index calls_live_queue_order is
    'The first waiting calls of each queue, language and priority, found equally fast among any number of calls.';

create function create_month_indexes(month text) returns void language plpgsql as $$
declare
    wanted record;
begin
    for wanted in
        select * from (values
            ('newest', '(initiated_at, id)', 'true', 'No filter, a range of time, or a filter that most calls pass.'),
            ('queue', '(queue_id, initiated_at, id)', 'true', 'Filter by queue.'),
            ('agent', '(coalesce(agent_id, offered_agent_id, ''-''), initiated_at, id)', 'true', 'Filter by agent.'),
            ('language', '(coalesce(language, ''-''), initiated_at, id)', 'true', 'Filter by language.'),
            ('end_reason', '(end_reason, initiated_at, id)', 'end_reason <> ''completed''', 'Filter by end reason.'),
            ('video', '(initiated_at, id)', 'type = ''video''', 'Video calls.'),
            ('breached', '(initiated_at, id)', '''sla_breached'' = any(flags)', 'Calls with the flag sla_breached.'),
            ('hold_exceeded', '(initiated_at, id)', '''hold_exceeded'' = any(flags)',
                'Calls with the flag hold_exceeded.'),
            ('short', '(initiated_at, id)', '''short_call'' = any(flags)', 'Calls with the flag short_call.'),
            ('rerouted', '(initiated_at, id)', '''rerouted'' = any(flags)', 'Calls with the flag rerouted.'),
            ('missed', '(initiated_at, id)', 'misses > 0', 'Calls that an agent missed.'),
            ('missed_by', 'using gin (missed_by)', 'misses > 0', 'Calls that a given agent missed; few, so unordered.'),
            ('held', '(initiated_at, id)', 'holds > 0', 'Calls with a hold.'),
            ('transferred', '(initiated_at, id)', 'transfers > 0', 'Calls that were transferred.'),
            ('unanswered', '(initiated_at, id)', 'answered_at is null', 'Calls without an answer.'),
            ('unwaited', '(initiated_at, id)', 'wait_seconds is null', 'Calls without a waiting time.'),
            ('wait', '(wait_seconds, id)', 'wait_seconds is not null', 'Order by waiting time.'),
            ('duration', '(duration_seconds, id)', 'duration_seconds is not null', 'Order by duration.'),
            ('begins', '(id collate "C")', 'true', 'Search by the beginning of an id.')
        ) as indexes (name, columns, condition, purpose)
    loop
        execute format('create index %I on %I %s where %s', month || '_by_' || wanted.name, month, wanted.columns,
                       wanted.condition);
        execute format('comment on index %I is %L', month || '_by_' || wanted.name, wanted.purpose);
    end loop;
end
$$;
comment on function create_month_indexes(text) is
    'Creates the indexes of an archive partition: one for each filter and order of GET /api/calls. A call is written '
    'there once, so their number does not slow recording.';
select create_month_indexes('calls_other');

create function drop_month_indexes(month text) returns void language plpgsql as $$
declare
    existing record;
begin
    for existing in
        select i.indexrelid::regclass as name from pg_index i
        where i.indrelid = month::regclass and not i.indisprimary
    loop
        execute format('drop index %s', existing.name);
    end loop;
end
$$;
comment on function drop_month_indexes(text) is
    'Drops the indexes of an archive partition except the primary key, before it is loaded in bulk.';


-- Events -------------------------------------------------------------------------------------------------------------

create table events (
    -- order. Positions are drawn in blocks: drawing them singly cost a tenth of the time of a batch.
    position bigint generated always as identity (increment by 1000),
    txid bigint not null default this_position(),
    at timestamptz not null,
    received_at timestamptz not null,
    version int,
    dated boolean not null,
    -- the event as it was sent
    id text not null,
    call_id text not null,
    name text not null,
    source text not null check (source in ('telephony', 'system', 'history')),
    state text not null check (state in ('applied', 'deferred', 'void', 'dead')),
    fingerprint text not null,
    data json not null,
    metadata json,
    sequence bigint,
    -- dead letters
    reason text,
    failed_at timestamptz,
    redriven_at timestamptz,
    attempts int not null default 1
) partition by range (received_at);
comment on table events is
    'The log of call events, with a partition per month of receipt. No foreign key to calls: the recorder holds the '
    'lock of the call, and calls are not deleted.';
comment on column events.position is
    'Order of arrival within a call; also the record id of GET /api/calls/{id}/events.';
comment on column events.txid is 'Position of the transaction that last changed the event, for feeds and polls.';
comment on column events.at is 'When the event happened.';
comment on column events.received_at is 'When Switchboard received it. Chooses the partition.';
comment on column events.version is 'Version of the call after the event. Null: not applied.';
comment on column events.dated is 'Whether the sender stated the time. If not, `at` is the time of receipt.';
comment on column events.id is 'Idempotency key of the sender. Unique within a month; the recorder checks all months.';
comment on column events.call_id is 'Call to which the event belongs.';
comment on column events.name is 'Event name on the wire, such as call_answered.';
comment on column events.source is
    'telephony: sent; system: made by Switchboard, for example by a timer; history: imported.';
comment on column events.state is
    'applied: part of the call; deferred: waits for an earlier event; void: was applied and is invalid now; dead: '
    'never became valid.';
comment on column events.fingerprint is 'Hash of the request, to distinguish a repeat from a second use of the key.';
comment on column events.data is 'Fields of the event, as JSON text. No fast query reads inside.';
comment on column events.metadata is 'Metadata of the sender, as JSON text.';
comment on column events.sequence is 'Sender''s number of the event, to order events of the same instant.';
comment on column events.reason is 'Why the event is dead or void.';
comment on column events.failed_at is 'When the event became a dead letter.';
comment on column events.redriven_at is 'When the event was last redriven: its grace period starts again.';
comment on column events.attempts is 'How often the event was tried, including redrives.';

create table events_other partition of events (unique (id)) default;
comment on table events_other is 'Events received in a month that has no partition.';
comment on index events_other_id_key is 'Finds repeats.';

create index events_of_call on events (call_id);
comment on index events_of_call is
    'The events of a call: its history, and the log from which a late event recomputes it.';
create index events_by_transaction on events (txid);
comment on index events_by_transaction is 'Events since a position: feeds, polls, the outbox, agent time.';
create index events_dead on events (failed_at desc, id desc) where state = 'dead';
comment on index events_dead is 'Dead letters, newest first.';


-- Timers -------------------------------------------------------------------------------------------------------------

create table timers (
    call_id text not null,
    kind text not null check (kind in ('sla_wait', 'answer', 'hold', 'wrap_up', 'deferred')),
    due_at timestamptz not null,
    primary key (call_id, kind)
);
comment on table timers is
    'Open deadlines of calls. A row only states when to look: the rules decide what happens. No foreign key to calls: '
    'the recorder holds the lock of the call.';
comment on column timers.call_id is 'Call with the deadline.';
comment on column timers.kind is 'Which deadline. A call has at most one of each kind.';
comment on column timers.due_at is 'When the sweep looks at the call.';
create index timers_due on timers (kind, due_at);
comment on index timers_due is 'Due timers of each kind, earliest first: many of one kind do not delay the others.';


-- Outbox -------------------------------------------------------------------------------------------------------------

create table outbox (
    txid bigint not null default this_position(),
    shard smallint not null default 0,
    calls text[] not null default '{}',
    agents text[] not null default '{}',
    moved jsonb,
    attempts int not null default 0,
    next_attempt_at timestamptz not null,
    failed_at timestamptz,
    traceparent text,
    traces jsonb,
    constraint outbox_by_txid primary key (txid, shard)
);
comment on table outbox is
    'Changes that are not published yet: a row per transaction and relay shard. The relay deletes a row after the last '
    'post; the sweep publishes again what stays. Events are found by txid, calls and agents by id, as they are then.';
comment on column outbox.txid is 'Position of the transaction that made the changes.';
comment on column outbox.shard is 'Relay shard that publishes the row.';
comment on column outbox.calls is 'Calls that changed.';
comment on column outbox.agents is 'Agents that changed.';
comment on column outbox.moved is
    'By call: the queue and the agent that it left. By agent: the queues from which a change of the set-up removed the '
    'agent.';
comment on column outbox.attempts is 'How often the sweep published the row.';
comment on column outbox.next_attempt_at is 'When the sweep publishes the row, if it still exists.';
comment on column outbox.failed_at is 'When the row became a dead letter.';
comment on column outbox.traceparent is 'W3C trace in which the transaction ran.';
comment on column outbox.traces is 'W3C traces that events brought, by event id.';
comment on index outbox_by_txid is
    'The oldest unpublished position, and the rows that a relay has to publish in order.';
create index outbox_dead on outbox (failed_at desc, txid desc) where failed_at is not null;
comment on index outbox_dead is 'Dead letters, newest first.';


-- Agents -------------------------------------------------------------------------------------------------------------

create table agents (
    id text primary key,
    -- set-up
    name text not null,
    languages text[] not null default '{}',
    queues text[] not null default '{}',
    skills jsonb not null default '{}',
    -- status
    status text not null default 'offline'
        check (status in ('offline', 'available', 'offered', 'on_call', 'wrap_up', 'away')),
    status_since timestamptz not null,
    reason text,
    call_id text,
    engaged_since timestamptz,
    -- a second call
    second_call_id text,
    second_status text check (second_status in ('offered', 'on_call', 'wrap_up')),
    second_since timestamptz,
    -- the agent's own reports
    reported_at timestamptz,
    reported_source text collate "C",
    next_status text,
    next_reason text,
    -- the shift
    signed_in_since timestamptz,
    idle_since timestamptz,
    occupied_seconds double precision not null default 0,
    misses int not null default 0,
    -- changes
    version int not null default 1,
    moved_at_position bigint,
    constraint agents_engaged_by_a_call check (status not in ('offered', 'on_call') or call_id is not null)
);
comment on table agents is 'Agents: their set-up, and their current status. One row per agent.';
comment on column agents.id is 'Identifier of the agent.';
comment on column agents.name is 'Name that the dashboard shows.';
comment on column agents.languages is 'Languages that the agent speaks.';
comment on column agents.queues is 'Queues that the agent serves.';
comment on column agents.skills is 'Skill level by queue. 1 for queues that are not named.';
comment on column agents.status is 'Current status.';
comment on column agents.status_since is 'When the status began.';
comment on column agents.reason is 'Reason of the status, such as a break.';
comment on column agents.call_id is
    'Call that caused the status. It stays after the call released the agent, until another cause decides.';
comment on column agents.engaged_since is
    'When the current or last call engaged the agent. A report of the agent that arrives late is compared with it.';
comment on column agents.second_call_id is
    'Second call that has the agent: one reported before the first released the agent, or the call whose wrap-up a new '
    'offer interrupted.';
comment on column agents.second_status is 'Status of the agent for the second call.';
comment on column agents.second_since is 'When second_status began.';
comment on column agents.reported_at is
    'When the agent last reported a status. An earlier report that arrives later changes nothing.';
comment on column agents.reported_source is 'Orders reports of the same instant: sequence and id of the last one.';
comment on column agents.next_status is 'Status that the agent reported for the time after the current call.';
comment on column agents.next_reason is 'Reason of next_status.';
comment on column agents.signed_in_since is 'When the shift began. Null while offline.';
comment on column agents.idle_since is
    'While an offer is open, or after it was withdrawn: since when the agent was idle before. It keeps the agent''s '
    'place in the order of idle agents.';
comment on column agents.occupied_seconds is 'Time of this shift spent on calls, offers and wrap-up.';
comment on column agents.misses is 'Missed offers in a row.';
comment on column agents.version is 'Rises with every change. Clients keep the highest.';
comment on column agents.moved_at_position is
    'When a change of the set-up last removed the agent from a queue: clients that resume from before need a snapshot.';
comment on constraint agents_engaged_by_a_call on agents is 'An agent is offered or on a call only with that call.';
create unique index agents_one_per_call on agents (call_id) where status in ('offered', 'on_call');
comment on index agents_one_per_call is 'Two agents never have the same call.';
create index agents_moved on agents (moved_at_position) where moved_at_position is not null;
comment on index agents_moved is 'Whether an agent was removed from a queue since a position.';

create function update_agent_shift() returns trigger language plpgsql as $$
begin
    if old.status in ('offered', 'on_call', 'wrap_up') then
        new.occupied_seconds := old.occupied_seconds
            + greatest(extract(epoch from new.status_since - old.status_since), 0);
    end if;
    if old.status = 'offline' then
        new.occupied_seconds := 0;
        new.signed_in_since := new.status_since;
    elsif new.status = 'offline' then
        new.signed_in_since := null;
    else
        new.signed_in_since := coalesce(old.signed_in_since, old.status_since);
    end if;
    return new;
end
$$;
comment on function update_agent_shift() is
    'Updates signed_in_since and occupied_seconds. A trigger, because several statements change a status.';
create trigger agents_shift before update of status on agents
    for each row when (old.status is distinct from new.status) execute function update_agent_shift();
comment on trigger agents_shift on agents is 'Keeps the figures of the shift.';

create function update_idle_since() returns trigger language plpgsql as $$
begin
    if old.status = 'available' and new.status = 'offered' then
        new.idle_since := coalesce(old.idle_since, old.status_since);
    elsif not (old.status = 'offered' and (
        new.status = 'offered' or new.status = 'available' and new.status_since <= old.status_since
    )) then
        new.idle_since := null;
    end if;
    return new;
end
$$;
comment on function update_idle_since() is
    'Keeps idle_since through an offer that is withdrawn. Such a release has the time of the offer itself.';
create trigger agents_idle before update of status on agents
    for each row when ((old.status, old.status_since) is distinct from (new.status, new.status_since))
    execute function update_idle_since();
comment on trigger agents_idle on agents is 'Keeps the place of an agent whose offer is withdrawn.';

create function increment_agent_version() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;
comment on function increment_agent_version() is
    'Raises the version. A trigger, because several statements change an agent.';
create trigger agents_version before update on agents for each row execute function increment_agent_version();
comment on trigger agents_version on agents is 'Gives every change of an agent a version.';

create table free_agents (
    queue_id text not null,
    agent_id text not null,
    languages text[] not null,
    level int not null,
    shift_step timestamptz not null,
    occupied_seconds double precision not null,
    since timestamptz not null,
    constraint free_agents_longest_idle primary key (queue_id, since, agent_id)
);
comment on table free_agents is
    'Available agents, a row per queue, in the order of each strategy: the next agent of a queue is the first entry of '
    'an index, for any number of agents. Triggers of agents write it.';
comment on column free_agents.queue_id is 'Queue that the agent serves.';
comment on column free_agents.agent_id is 'The agent.';
comment on column free_agents.languages is 'Languages that the agent speaks.';
comment on column free_agents.level is 'Skill level for the queue.';
comment on column free_agents.shift_step is
    'Beginning of the shift, rounded down to 10 minutes. Among agents of one step, the order by occupancy does not '
    'change while time passes.';
comment on column free_agents.occupied_seconds is 'Time of this shift spent on calls, offers and wrap-up.';
comment on column free_agents.since is 'Since when the agent is idle.';
comment on index free_agents_longest_idle is 'Strategy longest_idle.';
create index free_agents_most_skilled on free_agents (queue_id, level desc, since, agent_id);
comment on index free_agents_most_skilled is 'Strategy most_skilled.';
create index free_agents_least_occupied on free_agents (queue_id, shift_step, occupied_seconds, since, agent_id);
comment on index free_agents_least_occupied is 'Strategy least_occupied.';

create function update_free_agents() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' and old.status = 'available' then
        delete from free_agents
        where queue_id = any(old.queues) and since = coalesce(old.idle_since, old.status_since) and agent_id = old.id;
    end if;
    if tg_op <> 'DELETE' and new.status = 'available' then
        insert into free_agents (queue_id, agent_id, languages, level, shift_step, occupied_seconds, since)
        select queue_id, new.id, new.languages, coalesce((new.skills->>queue_id)::int, 1),
            date_bin('10 minutes', coalesce(new.signed_in_since, new.status_since), 'epoch'), new.occupied_seconds,
            coalesce(new.idle_since, new.status_since)
        from unnest(new.queues) queue_id
        on conflict do nothing; -- a queue that is listed twice
    end if;
    return null;
end
$$;
comment on function update_free_agents() is 'Replaces the rows of an agent in free_agents.';
create trigger agents_listed after insert on agents
    for each row when (new.status = 'available') execute function update_free_agents();
comment on trigger agents_listed on agents is 'Lists a new agent in free_agents.';
create trigger agents_relisted after update on agents
    for each row when (old.status = 'available' or new.status = 'available') execute function update_free_agents();
comment on trigger agents_relisted on agents is 'Updates free_agents when an agent changes.';
create trigger agents_unlisted after delete on agents
    for each row when (old.status = 'available') execute function update_free_agents();
comment on trigger agents_unlisted on agents is 'Removes a deleted agent from free_agents.';

create table agent_events (
    id text primary key,
    agent_id text not null references agents,
    status text not null,
    reason text,
    at timestamptz not null,
    received_at timestamptz not null,
    fingerprint text not null,
    txid bigint not null default this_position(),
    sequence bigint
);
comment on table agent_events is 'Statuses that agents reported.';
comment on column agent_events.id is 'Idempotency key of the sender.';
comment on column agent_events.agent_id is 'Agent who reported.';
comment on column agent_events.status is 'Reported status.';
comment on column agent_events.reason is 'Reported reason.';
comment on column agent_events.at is 'From when the status holds.';
comment on column agent_events.received_at is 'When Switchboard received the report.';
comment on column agent_events.fingerprint is
    'Hash of the request, to distinguish a repeat from a second use of the key.';
comment on column agent_events.txid is 'Position of the transaction that recorded the report.';
comment on column agent_events.sequence is 'Sender''s number of the report, to order reports of the same instant.';
create index agent_events_by_transaction on agent_events (txid);
comment on index agent_events_by_transaction is 'Reports since a position, for agent time.';


-- Agent time ---------------------------------------------------------------------------------------------------------
-- What each agent did, computed from the logs of calls and reports. The sweep follows the logs, so recording does not
-- wait for it, and the result does not depend on the order in which events arrived.

create table agent_intervals (
    agent_id text not null,
    began timestamptz not null,
    ended timestamptz,
    of_call boolean not null,
    source text collate "C" not null,
    step int not null,
    cause text not null check (cause in ('offline', 'available', 'offered', 'on_call', 'wrap_up', 'away', 'carried')),
    max_misses int not null,
    status text not null check (status in ('offline', 'available', 'offered', 'on_call', 'wrap_up', 'away')),
    state jsonb not null,
    constraint agent_intervals_in_order primary key (agent_id, began, of_call, source, step)
) partition by range (began);
comment on table agent_intervals is
    'Intervals of each agent, with a partition per month: a cause, and the status of the agent that follows '
    'from it and all causes before. No default partition, so that months can be read in order.';
comment on column agent_intervals.agent_id is 'The agent.';
comment on column agent_intervals.began is 'When the interval began.';
comment on column agent_intervals.ended is 'When the next interval began. Null: the interval goes on.';
comment on column agent_intervals.of_call is 'Whether a call is the cause. Otherwise a report of the agent is.';
comment on column agent_intervals.source is 'Id of the call, or sequence and id of the report.';
comment on column agent_intervals.step is 'Number of the cause among those of the call.';
comment on column agent_intervals.cause is
    'The status that the cause asks for; carried for an interval that continues from a dropped month.';
comment on column agent_intervals.max_misses is
    'The queue''s misses_before_away, if a missed call is the cause.';
comment on column agent_intervals.status is 'The resulting status.';
comment on column agent_intervals.state is
    'The state from which the next interval follows: the last report, the calls that have the agent, misses in a row.';
comment on index agent_intervals_in_order is 'The intervals of an agent in order of time.';
create index agent_intervals_of_call on agent_intervals (source) where of_call;
comment on index agent_intervals_of_call is 'The intervals that a call caused.';
create index agent_intervals_open on agent_intervals (agent_id) where ended is null and status <> 'offline';
comment on index agent_intervals_open is 'Intervals that go on.';
create index agent_intervals_ended on agent_intervals (ended);
comment on index agent_intervals_ended is 'Intervals of all agents that ended lately, for figures up to now.';

create table agent_rollups (
    grain text not null check (grain in ('5m', '1h', '1d', '1h agent', '1d agent')),
    start timestamptz not null,
    agent_id text not null,
    ringing_ms bigint not null,
    on_call_ms bigint not null,
    wrap_up_ms bigint not null,
    available_ms bigint not null,
    away_ms bigint not null,
    primary key (grain, start, agent_id)
);
comment on table agent_rollups is 'Sums of the intervals that ended, in whole milliseconds.';
comment on column agent_rollups.grain is 'Width of the row, and whether it is of one agent.';
comment on column agent_rollups.start is 'Beginning of the row''s time.';
comment on column agent_rollups.agent_id is 'The agent; empty in rows of all agents.';
comment on column agent_rollups.ringing_ms is 'Time in status offered.';
comment on column agent_rollups.on_call_ms is 'Time in status on_call.';
comment on column agent_rollups.wrap_up_ms is 'Time in status wrap_up.';
comment on column agent_rollups.available_ms is 'Time in status available.';
comment on column agent_rollups.away_ms is 'Time in status away.';
comment on index agent_rollups_pkey is 'GET /api/metrics: a grain, a range of time.';

create table agent_time_progress (
    through bigint not null,
    kept_since timestamptz not null,
    single boolean primary key default true check (single)
);
comment on table agent_time_progress is
    'One row: how far the sweep has followed the logs. Updating agent time locks it.';
comment on column agent_time_progress.through is 'All transactions below this position are included.';
comment on column agent_time_progress.kept_since is 'Intervals before this time were dropped.';
comment on column agent_time_progress.single is 'Allows one row only.';
insert into agent_time_progress (through, kept_since) values (0, '1970-01-01 00:00:00+00');

create function make_agent_month(moment timestamptz) returns void
language plpgsql security definer set search_path from current as $$
declare
    month constant timestamp := date_trunc('month', moment at time zone 'UTC');
    beginning constant timestamptz := month at time zone 'UTC';
    ending constant timestamptz := (month + interval '1 month') at time zone 'UTC';
    partition constant text := 'agent_intervals' || to_char(month, '_YYYY_MM');
begin
    if to_regclass(partition) is null then
        execute format('create table %I (like agent_intervals including all)', partition);
        execute format('alter table agent_intervals attach partition %I for values from (%L) to (%L)', partition,
                       beginning, ending);
    end if;
end
$$;
comment on function make_agent_month(timestamptz) is
    'Creates the partition of agent_intervals for the month of a moment, if it is missing.';

create function forget_agent_month(since timestamptz) returns text
language plpgsql security definer set search_path from current set lock_timeout = '50ms' as $$
declare
    oldest text;
    month_end timestamptz;
begin
    perform from agent_time_progress for update;
    select c.relname, (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC'
    into oldest, month_end
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'agent_intervals'::regclass order by 2 limit 1;
    if oldest is null or month_end > since then
        return null;
    end if;
    perform make_agent_month(month_end);
    insert into agent_intervals (agent_id, began, ended, of_call, source, step, cause, max_misses, status, state)
    select agent_id, month_end, ended, false, '', 0, 'carried', 1, status, state
    from agent_intervals where began < month_end and coalesce(ended > month_end, true);
    update agent_time_progress set kept_since = month_end;
    execute format('drop table %I', oldest);
    return oldest;
exception when lock_not_available then
    return null;
end
$$;
comment on function forget_agent_month(timestamptz) is
    'Drops the oldest month of agent_intervals that ended by a time, and returns its name. Returns null if there is '
    'none, or if a lock is not available at once. Intervals that continue beyond the month are carried over. Sums '
    'stay.';


-- Figures ------------------------------------------------------------------------------------------------------------

create table call_rollups (
    grain text not null check (grain in ('5m', '1h', '1d', '1h agent', '1d agent', '1d agent only')),
    start timestamptz not null,
    queue_id text not null,
    language text not null,
    type text not null,
    agent_id text not null,
    offered bigint not null,
    answered bigint not null,
    answered_in_time bigint not null,
    abandoned bigint not null,
    short_abandons bigint not null,
    failed bigint not null,
    sla_breached bigint not null,
    waited bigint not null,
    wait_ms bigint not null,
    answered_wait_ms bigint not null,
    longest_wait_ms bigint not null,
    handled bigint not null,
    talk_ms bigint not null,
    hold_ms bigint not null,
    acw_ms bigint not null,
    misses bigint not null,
    missed bigint not null,
    transfers bigint not null,
    transferred bigint not null,
    holds bigint not null,
    held bigint not null,
    hold_exceeded bigint not null,
    hold_excess_ms bigint not null,
    short_calls bigint not null,
    primary key (grain, start, queue_id, language, type, agent_id)
);
comment on table call_rollups is
    'Sums of archived calls, so that the figures of a month do not read its calls. The transaction that archives a '
    'call or moves it back updates them. `switchboard rebuild` compares them with the calls.';
comment on column call_rollups.grain is
    'Width of the row, and whether it is of one agent. `1d agent only` has one row per agent and day, for any queue, '
    'language and type: a quarter of the rows.';
comment on column call_rollups.start is 'Beginning of the row''s time.';
comment on column call_rollups.queue_id is 'Queue; empty in rows of all queues.';
comment on column call_rollups.language is 'Language; - if unknown, empty in rows of all languages.';
comment on column call_rollups.type is 'Type of call; empty in rows of all types.';
comment on column call_rollups.agent_id is 'Agent; - if none, empty in rows of all agents.';
comment on column call_rollups.offered is 'Calls that entered.';
comment on column call_rollups.answered is 'Calls that were answered.';
comment on column call_rollups.answered_in_time is 'Calls answered within the queue''s service level.';
comment on column call_rollups.abandoned is 'Calls that the caller left before the answer.';
comment on column call_rollups.short_abandons is 'Abandoned calls within the service level.';
comment on column call_rollups.failed is 'Calls that failed before the answer.';
comment on column call_rollups.sla_breached is 'Calls with the flag sla_breached.';
comment on column call_rollups.waited is 'Calls with a waiting time.';
comment on column call_rollups.wait_ms is 'Sum of waiting times.';
comment on column call_rollups.answered_wait_ms is 'Sum of waiting times of answered calls.';
comment on column call_rollups.longest_wait_ms is 'Longest waiting time.';
comment on column call_rollups.handled is 'Answered calls that ended.';
comment on column call_rollups.talk_ms is 'Talk time of handled calls, without holds.';
comment on column call_rollups.hold_ms is 'Hold time of handled calls.';
comment on column call_rollups.acw_ms is 'Not used: after-call work is in agent_rollups.';
comment on column call_rollups.misses is 'Missed offers.';
comment on column call_rollups.missed is 'Calls with a missed offer.';
comment on column call_rollups.transfers is 'Transfers.';
comment on column call_rollups.transferred is 'Calls with a transfer.';
comment on column call_rollups.holds is 'Holds.';
comment on column call_rollups.held is 'Calls with a hold.';
comment on column call_rollups.hold_exceeded is 'Calls with the flag hold_exceeded.';
comment on column call_rollups.hold_excess_ms is 'Hold time beyond the queue''s limit.';
comment on column call_rollups.short_calls is 'Calls with the flag short_call.';
comment on index call_rollups_pkey is 'GET /api/metrics: a grain, a range of time.';


-- Relay and functions ------------------------------------------------------------------------------------------------

create table connections (
    id text primary key,
    role text not null,
    queues text[] not null,
    connected_at timestamptz not null,
    expires_at timestamptz not null
);
comment on table connections is 'Open WebSocket connections. A row outlives a lost $disconnect by at most two hours.';
comment on column connections.id is 'Connection id of API Gateway.';
comment on column connections.role is 'Role in the token.';
comment on column connections.queues is 'Queues in the token.';
comment on column connections.connected_at is 'When the connection was opened.';
comment on column connections.expires_at is 'When the token expires. The relay closes the connection then.';
create index connections_expiry on connections (expires_at);
comment on index connections_expiry is 'Expired connections.';

create table subscriptions (
    topic text not null,
    connection_id text not null references connections on delete cascade,
    primary key (topic, connection_id)
);
comment on table subscriptions is 'Topics to which connections are subscribed.';
comment on column subscriptions.topic is 'The topic.';
comment on column subscriptions.connection_id is 'The connection.';
comment on index subscriptions_pkey is 'Connections that are subscribed to a topic.';
create index subscriptions_of_connection on subscriptions (connection_id);
comment on index subscriptions_of_connection is 'Deletes the subscriptions of a connection.';

create sequence fencing_tokens;
comment on sequence fencing_tokens is
    'Every holder of a lease gets a higher token, even if the row of the lease is deleted.';

create table leases (
    shard smallint primary key,
    fencing_token bigint not null,
    expires_at timestamptz not null
);
comment on table leases is
    'Which relay publishes a shard. A relay that lost its lease without noticing has a lower token.';
comment on column leases.shard is 'The shard.';
comment on column leases.fencing_token is 'Token of the holder.';
comment on column leases.expires_at is 'Until when the holder counts as alive.';

create table heartbeats (
    name text not null,
    holder text not null,
    alive_until timestamptz not null,
    primary key (name, holder)
);
comment on table heartbeats is
    'Long-running functions that are alive. A run that ends reads here whether it must start a successor.';
comment on column heartbeats.name is 'Kind of function, such as sweep.';
comment on column heartbeats.holder is 'The run.';
comment on column heartbeats.alive_until is 'Until when the run counts as alive.';


-- Retention ----------------------------------------------------------------------------------------------------------

create table call_retention (
    kept_since timestamptz not null,
    single boolean primary key default true check (single)
);
comment on table call_retention is
    'One row: since when calls are kept. A late call can create the partition of a dropped month again; the sums of '
    'that month are not compared with it.';
comment on column call_retention.kept_since is 'Months that ended before this time were dropped.';
comment on column call_retention.single is 'Allows one row only.';
insert into call_retention (kept_since) values ('-infinity');

create function make_month(parent text, moment timestamptz) returns boolean
language plpgsql security definer set search_path from current as $$
declare
    key constant text := case parent when 'calls' then 'archive_time' when 'events' then 'received_at' end;
    month constant timestamp := date_trunc('month', moment at time zone 'UTC');
    beginning constant timestamptz := month at time zone 'UTC';
    ending constant timestamptz := (month + interval '1 month') at time zone 'UTC';
    partition constant text := parent || to_char(month, '_YYYY_MM');
    rest constant text := parent || '_other';
begin
    if to_regclass(partition) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtext('switchboard: one makes a month'));
    -- Read the catalogue with a new snapshot: the session's cache may be older than the wait for the lock.
    if exists (select from pg_class where relname = partition and relnamespace = current_schema()::regnamespace) then
        return false;
    end if;
    execute format('create table %I (like %I including defaults including constraints including storage)', partition,
                   parent);
    execute format('lock table %I in access exclusive mode', rest);
    execute format(
        'with moved as (delete from %1$I where %2$I >= %3$L and %2$I < %4$L returning *)'
        ' insert into %5$I select * from moved',
        rest, key, beginning, ending, partition
    );
    execute format('alter table %I add primary key (id)', partition);
    if parent = 'calls' then
        perform create_month_indexes(partition);
    end if;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, partition, beginning,
                   ending);
    return true;
end
$$;
comment on function make_month(text, timestamptz) is
    'Creates the partition of calls or events for the month of a moment. Rows of that month are moved from the default '
    'partition, which is locked during this and usually empty. Returns whether the partition was created.';
select make_month('events', now()), make_month('events', now() + interval '1 month');

create function forget_month(kept_since timestamptz) returns text
language plpgsql security definer set search_path from current set lock_timeout = '50ms' as $$
declare
    oldest text;
begin
    with parts as materialized (
        select c.relname as name, i.inhparent = 'events'::regclass as is_log
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('calls'::regclass, 'events'::regclass) and c.relname ~ '_\d{4}_\d{2}$'
    ), months as (
        select *, (to_date(right(name, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as ending from parts
    )
    select name into oldest from months
    where case when is_log
        then ending < kept_since
            and not exists (select from calls_live l where coalesce(l.recorded_since, '-infinity') < ending)
        else ending <= kept_since end
    order by ending, name limit 1;
    if oldest is not null then
        execute format('drop table %I', oldest);
    end if;
    delete from calls_other where id in (
        select id from calls_other where archive_time < kept_since limit 5000 for update skip locked
    );
    if found then
        oldest := coalesce(oldest, 'calls_other');
    end if;
    if oldest is not null then
        update call_retention k set kept_since = greatest(k.kept_since, $1);
        raise log 'Switchboard dropped %', oldest;
    end if;
    return oldest;
exception when lock_not_available or serialization_failure then
    return null;
end
$$;
comment on function forget_month(timestamptz) is
    'Drops the oldest month of calls or events that ended by a time, and returns its name. Deletes up to 5000 calls of '
    'calls_other that are older. Returns null if there is nothing to drop, or if a lock is not available at once. A '
    'month of the log is dropped a month after its calls, and only if no open call may have events in it.';
