"""A Python client for Switchboard: REST and the live feed."""

from infra.client.feed import Feed, FeedUpdate
from infra.client.replica import Replica
from infra.client.rest import LIVE, Api, Problem, Recorded, Unreachable

__all__ = ["LIVE", "Api", "Feed", "FeedUpdate", "Problem", "Recorded", "Replica", "Unreachable"]
