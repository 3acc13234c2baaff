"""The names of the Redis channels. Publishers and the relays must agree on them."""

STATUS_UPDATES = "call-status-updates"  # the seed's message, for others who listen


def relay_channel(shard: int) -> str:
    """Carries `contracts.feed.Published`, for the relay of this shard."""
    return f"switchboard:floor:{shard}"
