"""The functions' logs for a person: one colour a function, JSON lines as text."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text

POLL_SECONDS = 0.1
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
LEVELS = {"WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}
# What Lambda and the logger add to every line, and a person at a terminal sees anyway.
NOISE = {"level", "message", "timestamp", "location", "service", "logger", "function_name", "function_arn",
         "function_request_id", "function_memory_size", "cold_start", "xray_trace_id"}  # fmt: skip


def follow(log: Path, stopping: threading.Event, start: int | None = None) -> Iterator[str]:
    """Each line of the file as it is written, from `start` or the end of what is there."""
    with log.open(errors="replace") as file:
        file.seek(*((0, 2) if start is None else (start, 0)))
        part = ""
        while not stopping.is_set():
            part += file.readline()
            if part.endswith("\n"):
                yield part.rstrip("\n")
                part = ""
            else:
                stopping.wait(POLL_SECONDS)


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
