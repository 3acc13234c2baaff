"""Starts another function without waiting for it."""

import json
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

_log = logging.getLogger(__name__)


def invoke_async(function_name: str, event: Mapping[str, object] | None = None) -> None:
    """Start the function with this event. Never raises: the schedule would start it later."""
    if not function_name:
        return
    try:
        _client().invoke(FunctionName=function_name, InvocationType="Event", Payload=json.dumps(event or {}).encode())
    except Exception as error:
        _log.warning("Could not start %s: %s", function_name, error)


@cache
def _client() -> Any:  # noqa: ANN401 - botocore makes its clients at run time
    # Imported here, because it takes 100 ms and is rarely needed.
    from botocore import config, session  # pyright: ignore[reportMissingTypeStubs] - it ships none

    once = config.Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    return session.Session().create_client("lambda", config=once)  # pyright: ignore[reportUnknownMemberType] - untyped
