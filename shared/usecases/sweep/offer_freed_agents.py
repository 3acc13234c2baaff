"""Offer the head of a queue as soon as an agent comes free, not at the sweep's next look."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from shared.domain.agent import AgentStatus
from shared.domain.routing import seeks_agent
from shared.usecases.errors import UnavailableError, continue_after_failure
from shared.usecases.recording.notices import Announcer, News
from shared.usecases.sweep.fire_due_timers import Sweeper, offer_waiting_calls

AT_ONCE = 50  # the sweep offers the rest: no sender is kept waiting for it


class Dispatcher:
    """An announcer that also acts on the news: whatever commits with an agent freed or a caller left waiting comes by.

    The sweep finds what this misses: calls and agents that others had locked at this moment, or an outage in between.
    """

    def __init__(self, announcer: Announcer, sweeper: Sweeper, now: Callable[[], datetime]) -> None:
        self._announcer, self._sweeper, self._now = announcer, sweeper, now

    def announce(self, news: News) -> None:
        self._announcer.announce(news)
        free = [agent for agent in news.agents if agent.status is AgentStatus.AVAILABLE]
        seeking = {change.call.id: change.call.queue_id for change in news.changes if seeks_agent(change.call)}
        if queues := {*seeking.values(), *(queue_id for agent in free for queue_id in agent.queues)}:
            self._offer(queues, len(free) + len(seeking))

    def _offer(self, queue_ids: set[str], limit: int) -> None:
        """No more calls than may have found an agent: others must not lose sight of those at the head meanwhile."""
        with (
            suppress(UnavailableError),
            continue_after_failure(self._sweeper.failed),
        ):  # what was recorded stays recorded
            offer_waiting_calls(self._sweeper, self._now(), queue_ids, min(limit, AT_ONCE))
