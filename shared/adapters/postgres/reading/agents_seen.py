"""Agents as a client sees them whose token is for some queues."""

from collections.abc import Collection, Mapping
from typing import Any, LiteralString

from shared.adapters.postgres.row_mapping import AGENT

_OWN: LiteralString = ", ".join([f"a.{name}" for name in AGENT if name != "call_id"])
# Agents of these queues. An agent may serve others too, so the call is shown only if it is in one of these.
AGENTS: LiteralString = f"""
select {_OWN}, case when %(all)s or c.queue_id = any(%(queues)s) then a.call_id end as call_id
from agents a left join calls c on c.id = a.call_id and c.archive_time = 'infinity'
where (%(all)s or a.queues && %(queues)s)
"""
# Whether an agent was removed from a queue since a position.
GONE: LiteralString = "exists (select from agents where moved_at_position >= %(since)s)"


def by(queues: Collection[str] | None) -> Mapping[str, Any]:
    """The parameters of `AGENTS`; None means all queues."""
    return {"all": queues is None, "queues": list(queues or ())}
