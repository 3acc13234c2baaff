"""The error that a command prints without a traceback."""


class InfraError(Exception):
    """Its message states what happened and what to do, for the person at the terminal."""
