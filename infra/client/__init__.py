"""A client for a running Switchboard, REST and live feed: for the commands, the tests, and other people's programs."""

from infra.client.feed import Feed, News
from infra.client.picture import Picture
from infra.client.rest import LIVE, Api, Problem, Recorded, Unreachable

__all__ = ["LIVE", "Api", "Feed", "News", "Picture", "Problem", "Recorded", "Unreachable"]
