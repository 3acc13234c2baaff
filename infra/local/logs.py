"""The functions' logs for a person: one colour a function, JSON lines as text."""

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
# What Lambda and the logger add to every line, and a person at a terminal sees anyway.
NOISE = {"level", "message", "timestamp", "location", "service", "logger", "function_name", "function_arn",
         "function_request_id", "function_memory_size", "cold_start", "xray_trace_id"}  # fmt: skip


def read(log: Path) -> Iterator[str]:
    """Each line that is there now, the oldest file's first. Raises `FileNotFoundError` where there is no log."""
    for file in _opened(log):
        with file:
            yield from (line.rstrip("\n") for line in file)


def follow(log: Path, stopping: threading.Event, from_start: bool = False) -> Generator[str, None, None]:
    """Each line as it is written, across rotations; before them, with `from_start`, those that are there already.

    Raises `FileNotFoundError` where there is no log.
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
            renamed = rotation.is_renamed(log, file)  # asked first: what is read then is all that the file will have
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
    """A row of the function log: the function's name without the stack's, then what it wrote."""
    name, _, said = line.partition("\t")
    short = name.partition("-")[2] or name
    text = Text(f"{short:>12} ", style=COLOURS[sum(short.encode()) % len(COLOURS)])
    try:
        record = json.loads(said)
    except json.JSONDecodeError:
        return text.append(said, style="default")
    if isinstance(record, dict) and "_aws" in record:
        return text.append(_figures(record), style="dim")
    return text.append(_record(record) if isinstance(record, dict) else Text(said, style="default"))


def _record(record: dict[str, Any]) -> Text:
    style = LEVELS.get(str(record.get("level", "")), "default")
    text = Text(str(record.get("message", "")), style=style)
    for key, value in record.items():
        if key not in NOISE and value not in (None, ""):
            text.append(f"  {key}=", style="dim").append(_plain(value), style="default")
    return text


def _figures(record: dict[str, Any]) -> str:
    """A line of the embedded metric format, without what only CloudWatch reads."""
    shown = {key: value for key, value in record.items() if key not in ("_aws", "service")}
    return "  ".join(f"{name} {_plain(value)}" for name, value in shown.items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
