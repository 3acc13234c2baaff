"""Offer the head of a queue as soon as an agent comes free, not at the sweep's next look."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from shared.domain.agents import AgentStatus
from shared.domain.routing import seeks_agent
from shared.usecases.journal import Announcer, News, UnavailableError
from shared.usecases.sweep_timers import Sweeper, offer_waiting_calls


class Dispatcher:
    """An announcer that also acts on the news: whatever commits with an agent freed or a caller left waiting comes by.

    The sweep finds what this misses: calls and agents that others had locked at this moment, or an outage in between.
    """

    def __init__(self, announcer: Announcer, sweeper: Sweeper, now: Callable[[], datetime]) -> None:
        self._announcer, self._sweeper, self._now = announcer, sweeper, now

    def announce(self, news: News) -> None:
        self._announcer.announce(news)
        if queues := concerned_queues(news):
            with suppress(UnavailableError):  # what was recorded stays recorded
                offer_waiting_calls(self._sweeper, self._now(), queues)


def concerned_queues(news: News) -> set[str]:
    """Queues that have a free agent since, or a call that seeks one."""
    free = {queue_id for agent in news.agents if agent.status is AgentStatus.AVAILABLE for queue_id in agent.queues}
    return free | {change.call.queue_id for change in news.changes if seeks_agent(change.call)}
