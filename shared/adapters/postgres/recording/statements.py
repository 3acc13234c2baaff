"""The statements of the recorder and the sweep. The longer ones are in `statements.sql`."""

from typing import LiteralString

from shared.adapters.postgres.columns import Columns, rows_from
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.row_mapping import CALL_COLUMNS, EVENT_COLUMNS, RECORDED, RESTATED_COLUMNS

_CALL: LiteralString = ", ".join(CALL_COLUMNS)
_RECORDED: LiteralString = ", ".join(RECORDED)
_EVENT: LiteralString = ", ".join(EVENT_COLUMNS)

# The columns of the index of waiting calls that tell lines apart.
_SQL = load_queries(__file__, line="seeks, coalesce(language, ''), coalesce(priority, -1)")
KNOWN_EVENTS = _SQL["known_events"]
LOGS = _SQL["logs"]
DUE_TIMERS = _SQL["due_timers"]
WAITING_CALLS = _SQL["waiting_calls"]

# Locks the calls of a batch. The order is the same in all transactions, so that two batches cannot deadlock.
LOCK_CALLS: LiteralString = f"select {_RECORDED} from calls_live where id = any(%s::text[]) order by id for update"

# Draws positions for new events, in blocks, and reads the position of the transaction, so that messages can be built
# while Postgres commits. Run while the calls are locked, so that a call's positions follow the order of arrival.
BLOCK = 1000  # increment of the sequence
DRAW = """
select this_position() as transaction,
    array(select nextval(log.position) from generate_series(1, %s)) as blocks
from (select pg_get_serial_sequence('events', 'position')::regclass as position) log
"""

# Moves archived calls back to calls_live. If two transactions need the same call, one of them gets it.
UNARCHIVE_CALLS: LiteralString = f"""
update calls set archive_time = 'infinity' where id = any(%s::text[]) and archive_time < 'infinity'
returning {_RECORDED}
"""

# Locks calls to archive: ended, last written a while ago, without timers, so that only a late event can change them. A
# call that never began counts as ended when its last deferred event became a dead letter.
TO_ARCHIVE = """
select id, initiated_at from calls_live c
where settled_at < %(before)s and not exists (select from timers t where t.call_id = c.id)
order by settled_at limit %(limit)s
for update skip locked
"""
ARCHIVE = """
update calls set archive_time = coalesce(initiated_at, settled_at) where id = any(%s) and archive_time = 'infinity'
"""

# Limits of queues: the id, then the fields of `Limits`.
LIMITS = """
select id, sla_seconds, answer_seconds, hold_seconds, short_call_seconds, wrap_up_seconds, routing
from queues where id = any(%s::text[])
"""

# These columns arrive as the text of an array.
_LISTS = ("flags", "missed_by")
_VALUES: LiteralString = ", ".join([f"r.{name}::text[]" if name in _LISTS else f"r.{name}" for name in CALL_COLUMNS])
INSERT_CALLS: LiteralString = f"""
insert into calls_live ({_CALL}, recorded_since) select {_VALUES}, %s from {rows_from(CALL_COLUMNS)}
"""
UPDATE_CALLS: LiteralString = f"""
update calls_live c set ({_CALL}) = row({_VALUES}) from {rows_from(CALL_COLUMNS)} where c.id = r.id
"""

# Metadata arrives as text, because it is null for most events and a list of documents has no nulls.
_EVENT_VALUES: LiteralString = ", ".join(["metadata::json" if name == "metadata" else name for name in EVENT_COLUMNS])
INSERT_EVENTS: LiteralString = f"""
insert into events ({_EVENT}) overriding system value select {_EVENT_VALUES} from {rows_from(EVENT_COLUMNS)}
"""

# Updates events whose state changed. They get a new position, so that feeds that catch up read them again.
RESTATE_EVENTS: LiteralString = f"""
update events e set at = r.at, state = r.state, version = coalesce(r.version, e.version), reason = r.reason,
    failed_at = r.failed_at, redriven_at = r.redriven_at, attempts = r.attempts,
    txid = this_position()
from {rows_from(RESTATED_COLUMNS)}
where e.id = r.id and e.received_at = r.received_at
"""

TIMER: Columns = {"call_id": "text", "kind": "text"}
DISARM_TIMERS: LiteralString = f"""
delete from timers t using {rows_from(TIMER)}
where t.call_id = r.call_id and t.kind = r.kind
"""

ARMED_TIMER: Columns = {**TIMER, "due_at": "timestamptz"}
ARM_TIMERS: LiteralString = f"""
insert into timers (call_id, kind, due_at) select * from {rows_from(ARMED_TIMER)}
on conflict (call_id, kind) do update set due_at = excluded.due_at
"""

# Routing of queues: the id, then the fields of `Routing`.
ROUTING = "select id, strategy, overflow_seconds, overflow_queue_id from queues where id = any(%s)"
