"""The names of the Redis channels."""

STATUS_UPDATES = "call-status-updates"  # the status message, for other subscribers


def relay_channel(shard: int) -> str:
    """Carries `contracts.feed.OutboxMessage`, for the relay of this shard."""
    return f"switchboard:floor:{shard}"
