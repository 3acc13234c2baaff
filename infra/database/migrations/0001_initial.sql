-- The system of record. Every index and check names the query or the rule that it serves.

create table queues (
    id text primary key,
    name text not null,
    language text,
    sla_seconds double precision not null default 30,
    answer_seconds double precision not null default 15,
    hold_seconds double precision not null default 60,
    short_call_seconds double precision not null default 10,
    wrap_up_seconds double precision not null default 0,
    constraint queues_limits_positive check (
        sla_seconds > 0 and answer_seconds > 0 and hold_seconds > 0 and short_call_seconds >= 0 and wrap_up_seconds >= 0
    )
);

-- A call is the fold of its events, kept so that the newest event need not fold again. A row without a status only
-- anchors events that came before their call did: readers never see it.
create table calls (
    id text primary key,
    status text check (status in ('waiting', 'active', 'on_hold', 'ended')),
    type text,
    queue_id text,
    language text,
    limits jsonb,
    initiated_at timestamptz,
    last_at timestamptz,
    history boolean not null default false,
    offer jsonb,
    attempts int not null default 0,
    tried text[] not null default '{}',
    missed jsonb not null default '[]',
    rerouted boolean not null default false,
    agent_id text,
    answered_at timestamptz,
    wait_seconds double precision,
    held_at timestamptz,
    hold_reported_seconds double precision not null default 0,
    hold_seconds double precision not null default 0,
    longest_hold_seconds double precision not null default 0,
    ended_at timestamptz,
    end_reason text,
    duration_seconds double precision,
    sla_breached_at timestamptz,
    hold_exceeded_at timestamptz,
    version int not null default 0,
    metadata jsonb not null default '{}',
    flags text[] not null default '{}',
    deferred int not null default 0,
    last_event_id text,
    last_fingerprint text,
    constraint calls_begun check (status is null or (queue_id is not null and initiated_at is not null))
);
-- GET /api/calls, newest first, page by page
create index calls_newest on calls (initiated_at desc, id desc) where status is not null;
-- the live floor: few rows of many, whatever the history
create index calls_live on calls (queue_id, initiated_at) where status in ('waiting', 'active', 'on_hold');

-- The log. `position` is the order of arrival; `txid` tells a reader what may still be missing below it.
create table events (
    position bigint generated always as identity primary key,
    id text not null constraint events_id_unique unique,
    call_id text not null references calls,
    name text not null,
    data jsonb not null,
    at timestamptz not null,
    dated boolean not null,
    received_at timestamptz not null,
    source text not null check (source in ('telephony', 'system', 'history')),
    sequence bigint,
    metadata jsonb,
    fingerprint text not null,
    state text not null check (state in ('applied', 'deferred', 'void', 'dead')),
    version int,
    reason text,
    txid bigint not null default (pg_current_xact_id()::text::bigint)
);
-- a call's history, and the log that a late event folds again
create index events_of_call on events (call_id, at);
-- a feed that catches up, below the horizon of open transactions
create index events_by_transaction on events (txid);

-- The promises still open. Gone once kept, broken or void; the rules decide, a row only says when to look.
create table timers (
    call_id text not null references calls,
    kind text not null check (kind in ('sla_wait', 'answer', 'hold', 'wrap_up', 'deferred')),
    due_at timestamptz not null,
    primary key (call_id, kind)
);
-- the sweep: what is due, earliest first
create index timers_due on timers (due_at);

-- What the floor must still be told. Cleared by the relay after its last post, published again by the sweep.
create table outbox (
    event_id text primary key,
    call_id text not null,
    txid bigint not null default (pg_current_xact_id()::text::bigint),
    attempts int not null default 0,
    next_attempt_at timestamptz not null,
    failed_at timestamptz
);
-- the sweep: what nobody cleared in time
create index outbox_due on outbox (next_attempt_at) where failed_at is null;
-- the horizon of a feed: the oldest transaction not yet told
create index outbox_by_transaction on outbox (txid) where failed_at is null;

-- One record an agent, whatever the number of queues. `call_id` is the call that put the agent into this status.
create table agents (
    id text primary key,
    name text not null,
    languages text[] not null default '{}',
    queues text[] not null default '{}',
    status text not null default 'offline'
        check (status in ('offline', 'available', 'offered', 'on_call', 'wrap_up', 'away')),
    status_since timestamptz not null,
    call_id text,
    reason text,
    constraint agents_engaged_by_a_call check (status not in ('offered', 'on_call') or call_id is not null)
);
-- the longest idle first
create index agents_idle on agents (status_since) where status = 'available';
-- two agents never have one call
create unique index agents_one_per_call on agents (call_id) where status in ('offered', 'on_call');

create table agent_events (
    id text primary key,
    agent_id text not null references agents,
    status text not null,
    reason text,
    at timestamptz not null,
    received_at timestamptz not null,
    fingerprint text not null
);

-- Who listens. Rows outlive a lost $disconnect by two hours at most.
create table connections (
    id text primary key,
    role text not null,
    queues text[] not null,
    connected_at timestamptz not null,
    expires_at timestamptz not null
);
create index connections_expiry on connections (expires_at);
create table subscriptions (
    topic text not null,
    connection_id text not null references connections on delete cascade,
    primary key (topic, connection_id)
);
create index subscriptions_of_connection on subscriptions (connection_id);

-- Long-running functions say until when they are alive, each run by itself, so that whoever needs one knows whether to
-- wake it and a run that ends knows whether another goes on.
create table heartbeats (
    name text not null,
    holder text not null,
    alive_until timestamptz not null,
    primary key (name, holder)
);
