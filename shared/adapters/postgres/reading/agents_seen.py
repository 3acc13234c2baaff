"""Agents as those see them whose tokens are for some queues."""

from collections.abc import Collection, Mapping
from typing import Any, LiteralString

from shared.adapters.postgres.row_mapping import AGENT

_OWN: LiteralString = ", ".join([f"a.{name}" for name in AGENT if name != "call_id"])
# Who works for one of the queues. An agent may work for others as well: the call is told where it is in one of these.
AGENTS: LiteralString = f"""
select {_OWN}, case when %(all)s or c.queue_id = any(%(queues)s) then a.call_id end as call_id
from agents a left join calls c on c.id = a.call_id and c.archive_time = 'infinity'
where (%(all)s or a.queues && %(queues)s)
"""
# Whether somebody was taken out of a queue since.
GONE: LiteralString = "exists (select from agents where moved_at_position >= %(since)s)"


def by(queues: Collection[str] | None) -> Mapping[str, Any]:
    """The parameters of `AGENTS`; None means all queues."""
    return {"all": queues is None, "queues": list(queues or ())}
