"""What a command tells instead of a traceback."""


class InfraError(Exception):
    """Its message is for the person at the terminal: what happened, and what to do about it."""
