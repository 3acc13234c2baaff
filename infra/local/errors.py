"""What went wrong while running the local cloud, in words for the person who typed the command."""


class LocalCloudError(Exception):
    """The message says what happened and what to do about it."""
