"""The functions' logs as coloured text, one colour a function."""

import json
import os
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TextIO

from rich.text import Text

from infra.machine import rotation

POLL_SECONDS = 0.1
# The authorizer raises this for a wrong token, as API Gateway expects. Lambda logs it like a failure.
REFUSED = "UnauthorizedError"
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
LEVELS = {"WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}
# Fields that Lambda and the logger add to every line. The output shows them in another way, or leaves them out.
NOISE = {"level", "message", "timestamp", "location", "service", "logger", "function_name", "function_arn",
         "function_request_id", "function_memory_size", "cold_start", "xray_trace_id"}  # fmt: skip


def read(log: Path) -> Iterator[str]:
    """The current lines, beginning with the oldest file. Raises `FileNotFoundError` if there is no log."""
    for file in _opened(log):
        with file:
            yield from (line.rstrip("\n") for line in file)


def follow(log: Path, stopping: threading.Event, from_start: bool = False) -> Generator[str, None, None]:
    """New lines, across rotations. With `from_start`, the current lines come first.

    Raises `FileNotFoundError` if there is no log.
    """
    *older, file = _opened(log)
    for other in older:
        with other:
            if from_start:
                yield from (line.rstrip("\n") for line in other)
    if not from_start:
        file.seek(0, os.SEEK_END)
    part = ""
    try:
        while not stopping.is_set():
            renamed = rotation.is_renamed(
                log, file
            )  # checked before reading, so that the text is complete if it was renamed
            text = file.read()
            *lines, part = (part + text).split("\n")
            yield from lines
            if renamed:
                file = rotation.next_file(log, file)
            elif not text:
                stopping.wait(POLL_SECONDS)
    finally:
        file.close()


def _opened(log: Path) -> list[TextIO]:
    if files := rotation.open_all(log):
        return files
    raise FileNotFoundError(log)


def render(line: str) -> Text:
    """A row of the function log: the function's name without the stack's name, then its line."""
    name, _, logged = line.partition("\t")
    short = name.partition("-")[2] or name
    text = Text(f"{short:>12} ", style=COLOURS[sum(short.encode()) % len(COLOURS)])
    try:
        record = json.loads(logged)
    except json.JSONDecodeError:
        return text.append(logged, style="default")
    if isinstance(record, dict) and "_aws" in record:
        return text.append(_figures(record), style="dim")
    return text.append(_record(record) if isinstance(record, dict) else Text(logged, style="default"))


def _record(record: dict[str, Any]) -> Text:
    style = LEVELS.get(str(record.get("level", "")), "default")
    text = Text(str(record.get("message", "")), style=style)
    for key, value in record.items():
        if key not in NOISE and value not in (None, ""):
            text.append(f"  {key}=", style="dim").append(_plain(value), style="default")
    return text


def _figures(record: dict[str, Any]) -> str:
    """A line of the embedded metric format, without the fields for CloudWatch."""
    shown = {key: value for key, value in record.items() if key not in ("_aws", "service")}
    return "  ".join(f"{name} {_plain(value)}" for name, value in shown.items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
