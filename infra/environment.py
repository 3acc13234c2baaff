"""The process's environment, for child processes. `shared.settings` reads the settings of functions."""

import os


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, **changes}  # noqa: TID251 - for child processes


def seconds(name: str, default: float) -> float:
    """The variable's value, or the default. For times of the local cloud that tests shorten."""
    return float(environment().get(name, default))


def number(name: str, default: int) -> int:
    """The variable's value, or the default. For limits of the local cloud that tests reduce."""
    return int(environment().get(name, default))
