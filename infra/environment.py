"""The process's environment, for children and for where a run lives. Functions' settings are shared.settings' alone."""

import os


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, **changes}  # noqa: TID251 - a child inherits PATH and the like; nothing here is a setting


def seconds(name: str, default: float) -> float:
    """A time of the local cloud that tests shorten: the variable's value where it is set, else the default."""
    return float(environment().get(name, default))


def number(name: str, default: int) -> int:
    """A number of the local cloud that tests reduce: the variable's value where it is set, else the default."""
    return int(environment().get(name, default))
