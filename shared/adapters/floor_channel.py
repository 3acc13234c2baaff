"""The names of the Redis channels. Publishers and the relay must agree on them."""

FLOOR = "switchboard:floor"  # contracts.feed.Published, for the relay
STATUS_UPDATES = "call-status-updates"  # the seed's message, for others who listen
