"""Reads a call-by-call log as calls, and a call as the events that telephony would have sent. Pure.

The format is that of the "Anonymous Bank" data (Mandelbaum, Sakov and Zeltyn): a row a call, times of day and seconds.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

from shared.contracts.base import rfc3339

MENU_COLUMNS = ["vru_entry", "vru_exit", "vru_time"]
REST_COLUMNS = ["q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server"]
SHORT_COLUMNS = ["vru+line", "call_id", "type", *MENU_COLUMNS, *REST_COLUMNS]
FULL_COLUMNS = ["vru+line", "call_id", "customer_id", "priority", "type", "date", *MENU_COLUMNS, *REST_COLUMNS]
NEEDED_COLUMNS = set(SHORT_COLUMNS) - {"vru_time", "q_exit", "ser_start", "ser_exit"}
DAY_SECONDS = 86_400
HALF_DAY_SECONDS = 43_200
UNSAFE_IN_PATHS = re.compile(r"[^A-Za-z0-9_.-]+")


class CallLogError(Exception):
    """The file as a whole cannot be read as a call log."""


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call that reached a queue. `agent_id` is None where the caller gave up."""

    call_id: str
    queue_id: str
    initiated_at: datetime
    wait_seconds: int
    agent_id: str | None
    service_seconds: int


@dataclass(frozen=True, slots=True)
class NoCall:
    """A row that never reached a queue: the log's phantoms, and those who hung up at the menu."""


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    line: int
    reason: str


Entry = LoggedCall | NoCall | UnreadableRow


def read(lines: Iterable[str], day: date | None = None) -> Iterator[Entry]:
    """One entry a row, in the file's order, held one at a time. `day` counts where the log has no date column."""
    rows = _rows(lines)
    line, first_row = next(rows, (0, []))
    columns, has_header = _columns(first_row)
    if "date" not in columns and day is None:
        raise CallLogError("The log has no date column: give its day with --date YYYY-MM-DD, or in the file's name.")
    for number, cells in rows if has_header else chain([(line, first_row)], rows):
        yield _entry(dict(zip(columns, cells, strict=False)), number, day)


def day_in(name: str) -> date | None:
    """The day that a file's name tells, such as technion-1999-08-01.csv or calls_19990801.txt."""
    for year, month, dom in re.findall(r"(?<!\d)(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)", name):
        try:
            return date(int(year), int(month), int(dom))
        except ValueError:
            continue
    return None


def events(call: LoggedCall) -> list[dict[str, Any]]:
    """The call's life in order. Ids follow from the call, so sending it twice records it once."""
    answered_at = call.initiated_at + timedelta(seconds=call.wait_seconds)
    told: list[tuple[datetime, str, dict[str, Any]]] = [
        (call.initiated_at, "call_initiated", {"type": "voice", "queueId": call.queue_id})
    ]
    if call.agent_id is None:
        told.append((answered_at, "call_ended", {"endReason": "abandoned", "duration": 0}))
    else:
        ended_at = answered_at + timedelta(seconds=call.service_seconds)
        told += [
            (answered_at, "call_routed", {"agentId": call.agent_id, "routingTime": call.wait_seconds}),
            (answered_at, "call_answered", {"waitTime": call.wait_seconds}),
            (ended_at, "call_ended", {"endReason": "completed", "duration": call.service_seconds}),
        ]
    return [
        {
            "event": event,
            "callId": call.call_id,
            "eventId": f"{call.call_id}.{number}",
            "occurredAt": rfc3339(at),
            "sequence": number,
            **fields,
        }
        for number, (at, event, fields) in enumerate(told, 1)
    ]


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows in cells, blank ones left out; tabs or commas, as the first line has it."""
    numbered = iter(lines)
    first = next(numbered, "")
    parse = csv.reader(chain([first], numbered), delimiter="\t" if "\t" in first else ",")
    try:
        for cells in parse:
            if any(cell.strip() for cell in cells):
                yield parse.line_num, cells
    except csv.Error as error:
        raise CallLogError(f"Line {parse.line_num} cannot be read: {error}.") from error


def _columns(first_row: list[str]) -> tuple[list[str], bool]:
    """The names of the columns, and whether the first row tells them."""
    if not first_row:
        raise CallLogError("The file is empty.")
    names = [cell.strip().lower().lstrip("\ufeff").replace(" ", "_") for cell in first_row]
    if "call_id" in names or "outcome" in names:
        if missing := NEEDED_COLUMNS - set(names):
            raise CallLogError(f"The header lacks {', '.join(sorted(missing))}.")
        return names, True
    for columns in (SHORT_COLUMNS, FULL_COLUMNS):
        if len(names) == len(columns):
            return columns, False
    expected = f"{len(SHORT_COLUMNS)} or {len(FULL_COLUMNS)}"
    raise CallLogError(f"This is no call log: no header, and the first row has {len(names)} columns, not {expected}.")


def _entry(row: Mapping[str, str], line: int, day: date | None) -> Entry:
    try:
        return _call(row, day) or NoCall()
    except KeyError as error:
        return UnreadableRow(line, f"no {error.args[0]}")
    except ValueError as error:
        return UnreadableRow(line, str(error))


def _call(row: Mapping[str, str], day: date | None) -> LoggedCall | None:
    outcome = row["outcome"].strip().upper()
    wait_seconds = _duration(row["q_time"])
    if outcome not in {"AGENT", "HANG", "PHANTOM"}:
        raise ValueError(f"outcome {outcome!r} is none of AGENT, HANG, PHANTOM")
    if outcome == "PHANTOM" or (outcome == "HANG" and wait_seconds == 0):
        return None
    called_on = _day(row["date"]) if "date" in row else day
    if called_on is None:
        raise ValueError("no date")
    served = outcome == "AGENT"
    return LoggedCall(
        call_id=_call_id(called_on, row),
        queue_id=_id(row["type"], "type"),
        initiated_at=datetime(called_on.year, called_on.month, called_on.day, tzinfo=UTC)
        + timedelta(seconds=_initiated_seconds(row, wait_seconds)),
        wait_seconds=wait_seconds,
        agent_id=_id(row["server"], "server") if served else None,
        service_seconds=_duration(row["ser_time"]) if served else 0,
    )


def _call_id(called_on: date, row: Mapping[str, str]) -> str:
    """The log's own ids come again within a day, on another line; the time of entry keeps them apart for good."""
    entry = row["vru_entry"].strip().replace(":", "").zfill(6)
    return UNSAFE_IN_PATHS.sub("-", f"{called_on}-{row['vru+line'].strip()}-{row['call_id'].strip()}-{entry}")


def _initiated_seconds(row: Mapping[str, str], wait_seconds: int) -> int:
    """When the caller reached the queue, in seconds of the day of entry; beyond 24 h where midnight came between."""
    entered = _clock(row["vru_entry"])
    reached = _clock(row["q_start"] if wait_seconds else row["vru_exit"])
    if reached < entered - HALF_DAY_SECONDS:
        return reached + DAY_SECONDS
    # The log's clocks disagree by a minute at times: a queue's start is believed, a menu left before its entry is not.
    return reached if wait_seconds else max(reached, entered)


def _clock(text: str) -> int:
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d):([0-5]\d)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is no time of day (h:mm:ss)")
    hours, minutes, seconds = map(int, match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _duration(text: str) -> int:
    """Seconds. A span that midnight made negative is mended; one that disagreeing clocks made negative is none."""
    try:
        seconds = int(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no number of seconds") from None
    return max(0, seconds + DAY_SECONDS if seconds < -HALF_DAY_SECONDS else seconds)


def _day(text: str) -> date:
    digits = re.sub(r"\D", "", text)
    try:
        return datetime.strptime(digits, "%Y%m%d" if len(digits) == 8 else "%y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{text!r} is no date (yymmdd)") from None


def _id(text: str, column: str) -> str:
    if cleaned := UNSAFE_IN_PATHS.sub("-", text.strip()):
        return cleaned
    raise ValueError(f"no {column}")
