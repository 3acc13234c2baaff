"""Claims an agent in one conditional statement, so that two calls never get the same agent.

The order of each strategy is defined by `routing.rank`.
"""

from typing import LiteralString

from shared.adapters.postgres.queries import load_queries
from shared.domain.routing import Strategy

_SQL = load_queries(__file__)

# Statements by strategy, tried in turn. If other transactions claim all of the least occupied agents, the longest idle
# agent is next.
CLAIM_AGENT: dict[Strategy, tuple[LiteralString, ...]] = {
    Strategy.LONGEST_IDLE: (_SQL["longest_idle"],),
    Strategy.MOST_SKILLED: (_SQL["most_skilled"],),
    Strategy.LEAST_OCCUPIED: (_SQL["least_occupied"], _SQL["longest_idle"]),
}
