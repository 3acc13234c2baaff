"""The steps after a commit, in this order: `publish`, `offer_waiting_calls`, `wake_idle_workers`.

They never turn a recorded event into an error. The outbox keeps what was not published, and the sweep finds the calls
that were not offered.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from shared.domain.agent import AgentStatus
from shared.domain.routing import seeks_agent
from shared.usecases.errors import UnavailableError, continue_after_failure
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.sweep.record_offers import record_offers
from shared.usecases.sweep.services import SweepServices

MAX_OFFERS = 50  # calls that a sender waits for; the sweep offers the others


def publish(services: SweepServices, notices: Sequence[TransactionNotices]) -> None:
    """Send the notices to the relays, and log the events. Does not wait for Redis."""
    with continue_after_failure(services.log_failure):
        services.publisher.publish(notices)
    with continue_after_failure(services.log_failure):
        services.log_notices(notices)


def offer_waiting_calls(services: SweepServices, notices: Sequence[TransactionNotices], now: datetime) -> None:
    """Offer calls of the queues in which these transactions freed an agent or left a call waiting, and publish that.

    The sweep offers the calls that another transaction has locked now.
    """
    agents = [agent for transaction in notices for agent in transaction.agents]
    calls = [notice.call for transaction in notices for notice in transaction.calls]
    free = {agent.id: agent.queues for agent in agents if agent.status is AgentStatus.AVAILABLE}
    waiting = {call.id: call.queue_id for call in calls if seeks_agent(call)}
    queue_ids = {*waiting.values(), *(queue_id for queues in free.values() for queue_id in queues)}
    if not queue_ids:
        return
    # More calls would be locked without an agent for them, and other transactions would skip them.
    limit = min(len(free) + len(waiting), MAX_OFFERS)
    with suppress(UnavailableError), continue_after_failure(services.log_failure):
        offered = record_offers(services, now, queue_ids, limit)
        publish(services, offered.notices)


def wake_idle_workers(services: SweepServices, now: datetime) -> None:
    """Start the relays that do not listen, and the sweep if none is alive."""
    with continue_after_failure(services.log_failure):
        wake_idle_relays(services, now)
        services.workers.wake_sweep(now)


def wake_idle_relays(services: SweepServices, now: datetime) -> None:
    for shard in services.publisher.shards_without_relay():
        services.workers.wake_relay(shard, now)
