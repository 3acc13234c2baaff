"""The outbox, read back as what was published: for whoever publishes it again, and for a relay that takes over."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.adapters.postgres import codec
from shared.contracts.feed import Change
from shared.contracts.views import CallView

Row = Mapping[str, Any]

# An event with the queue that its transfer took the call from, which is found in the call's log.
_WITH_PREVIOUS_QUEUE = """
select e.*, case when e.state = 'void' then e.data ->> 'queue_id' else (
    select p.data ->> 'queue_id' from events p
    where e.name = 'call_transferred' and p.call_id = e.call_id and p.state = 'applied'
      and p.data ->> 'queue_id' is not null and (p.at, p.position) < (e.at, e.position)
    order by p.at desc, p.position desc limit 1
) end as previous_queue_id
"""

# What is owed, oldest first, after a position.
PENDING = (
    _WITH_PREVIOUS_QUEUE
    + """
from outbox o join events e on e.id = o.event_id
where o.failed_at is null and e.position > %s
order by e.position limit %s
"""
)

EVENTS = _WITH_PREVIOUS_QUEUE + "from events e where e.id = any(%s) order by e.position"

# The calls as they stand now: at least as new as the events read before.
CALLS = "select * from calls where id = any(%s) and status is not null"

# Only in the version that was told: an event that turned void meanwhile must still be told of.
CLEAR = """
delete from outbox o using unnest(%s::text[], %s::int[]) as told (id, version), events e
where o.event_id = told.id and e.id = told.id and e.version is not distinct from told.version
"""


def changes(event_rows: Sequence[Row], call_rows: Iterable[Row]) -> list[Change]:
    calls = {row["id"]: CallView.of(codec.call_from_row(row)) for row in call_rows}
    return [_change(row, calls[row["call_id"]]) for row in event_rows if row["call_id"] in calls]


def _change(row: Row, call: CallView) -> Change:
    previous = row["previous_queue_id"]
    return Change.model_construct(
        event=codec.event_view(codec.event_from_row(row)),
        call=call,
        previous_queue_id=previous if previous != call.queue_id else None,
    )
