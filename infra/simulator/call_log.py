"""Reads a call-by-call log as calls, and a call as the events that telephony would have sent. Pure.

The format is that of the "Anonymous Bank" data (Mandelbaum, Sakov and Zeltyn): a row a call, times of day and seconds.
Its months differ in what parts their cells, in their columns and in their order; a header, where there is one, tells.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

from shared.contracts.base import rfc3339

MENU_COLUMNS = ["vru_entry", "vru_exit", "vru_time"]
REST_COLUMNS = ["q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server"]
SHORT_COLUMNS = ["vru_line", "call_id", "type", *MENU_COLUMNS, *REST_COLUMNS]
FULL_COLUMNS = ["vru_line", "call_id", "customer_id", "priority", "type", "date", *MENU_COLUMNS, *REST_COLUMNS]
NEEDED_COLUMNS = set(SHORT_COLUMNS) - {"vru_time", "q_exit", "ser_start", "ser_exit"}
DAY_SECONDS = 86_400
HALF_DAY_SECONDS = 43_200
SEPARATORS = "\t,;"
HOUR_SECONDS = 3_600
NO_SERVER = "NO_SERVER"  # the log's word for a server whom it does not name
T = TypeVar("T")
UNSAFE_IN_PATHS = re.compile(r"[^A-Za-z0-9_.-]+")
ID_LETTERS = 128


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
    """`reason` names the column first."""

    line: int
    reason: str


Entry = LoggedCall | NoCall | UnreadableRow


def read(lines: Iterable[str], day: date | None = None) -> Iterator[Entry]:
    """One entry a row, in the file's order, held one at a time. `day` counts if the log has no date.

    A row is a call: where two have one id and one time of entry, a number is appended to the later ones.
    """
    rows = _rows(lines)
    line, first_row = next(rows, (0, []))
    columns, has_header = _columns(first_row)
    if "date" not in columns and day is None:
        raise CallLogError("The log has no date column: give its day with --date YYYY-MM-DD, or in the file's name.")
    found: Counter[str] = Counter()
    for number, cells in chain([] if has_header else [(line, first_row)], rows):
        if has_header and cells == first_row:
            continue  # of the next of several files in one
        entry = _entry(dict(zip(columns, cells, strict=False)), number, day)
        yield _numbered(entry, found) if isinstance(entry, LoggedCall) else entry


def day_in(name: str) -> date | None:
    """The day in a file's name, such as technion-1999-08-01.csv or calls_19990801.txt."""
    for year, month, dom in re.findall(r"(?<!\d)(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)", name):
        try:
            return date(int(year), int(month), int(dom))
        except ValueError:
            continue
    return None


def events(call: LoggedCall) -> list[dict[str, Any]]:
    """The call's life in order. Ids follow from the call, so sending it twice records it once."""
    answered_at = call.initiated_at + timedelta(seconds=call.wait_seconds)
    steps: list[tuple[datetime, str, dict[str, Any]]] = [
        (call.initiated_at, "call_initiated", {"type": "voice", "queueId": call.queue_id})
    ]
    if call.agent_id is None:
        steps.append((answered_at, "call_ended", {"endReason": "abandoned", "duration": 0}))
    else:
        ended_at = answered_at + timedelta(seconds=call.service_seconds)
        steps += [
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
        for number, (at, event, fields) in enumerate(steps, 1)
    ]


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows in cells, blank ones left out; parted by what the first line has most of."""
    numbered = iter(lines)
    first = next(numbered, "")
    separator = max(SEPARATORS, key=first.count)
    for number, line in enumerate(chain([first], numbered), 1):
        try:
            # Each line by itself: an unclosed quote affects no other row.
            cells = next(csv.reader([line], delimiter=separator), [])
        except csv.Error as error:
            raise CallLogError(f"Line {number} cannot be read: {error}.") from error
        if any(cell.strip() for cell in cells):
            yield number, cells


def _columns(first_row: list[str]) -> tuple[list[str], bool]:
    """The names of the columns, and whether the first row tells them."""
    if not first_row:
        raise CallLogError("The file is empty.")
    names = [re.sub(r"[^a-z0-9]+", "_", cell.strip().lower().lstrip("\ufeff")) for cell in first_row]
    if "call_id" in names or "outcome" in names:
        if missing := NEEDED_COLUMNS - set(names):
            raise CallLogError(f"The header lacks {', '.join(sorted(missing))}.")
        return names, True
    for columns in (SHORT_COLUMNS, FULL_COLUMNS):
        if len(names) == len(columns):
            return columns, False
    expected = f"{len(SHORT_COLUMNS)} or {len(FULL_COLUMNS)}"
    raise CallLogError(f"This is no call log: no header, and the first row has {len(names)} columns, not {expected}.")


def _numbered(call: LoggedCall, found: Counter[str]) -> LoggedCall:
    found[call.call_id] += 1
    number = found[call.call_id]
    return call if number == 1 else replace(call, call_id=f"{call.call_id}-{number}")


def _entry(row: Mapping[str, str], line: int, day: date | None) -> Entry:
    try:
        return _call(row, day) or NoCall()
    except ValueError as error:
        return UnreadableRow(line, str(error))


def _call(row: Mapping[str, str], day: date | None) -> LoggedCall | None:
    if (outcome := _cell(row, "outcome", _outcome)) == "PHANTOM":
        return None
    wait_seconds = _cell(row, "q_time", _duration)
    if outcome == "HANG" and wait_seconds == 0:
        return None
    called_on = _called_on(row, day)
    served = outcome == "AGENT"
    return LoggedCall(
        call_id=_call_id(called_on, row),
        queue_id=_cell(row, "type", _id),
        initiated_at=datetime(called_on.year, called_on.month, called_on.day, tzinfo=UTC)
        + timedelta(seconds=_initiated_seconds(row, wait_seconds)),
        wait_seconds=wait_seconds,
        agent_id=_cell(row, "server", lambda name: _id(name or NO_SERVER)) if served else None,
        service_seconds=_cell(row, "ser_time", _duration) if served else 0,
    )


def _cell(row: Mapping[str, str], column: str, parse: Callable[[str], T]) -> T:
    """Raises `ValueError` that names the column."""
    if column not in row:
        raise ValueError(f"{column} is missing: the row is cut off")
    try:
        return parse(row[column].strip())
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None


def _called_on(row: Mapping[str, str], day: date | None) -> date:
    if day is not None and not row.get("date", "").strip():
        return day
    return _cell(row, "date", _day)


def _call_id(called_on: date, row: Mapping[str, str]) -> str:
    """The log's own ids come again within a day, on another line; the time of entry keeps them apart for good."""
    line, number, entry = (_cell(row, column, str) for column in ("vru_line", "call_id", "vru_entry"))
    return UNSAFE_IN_PATHS.sub("-", f"{called_on}-{line}-{number}-{entry.replace(':', '').zfill(6)}")


def _initiated_seconds(row: Mapping[str, str], wait_seconds: int) -> int:
    """When the caller reached the queue, in seconds of the day of entry; beyond 24 h where midnight came between."""
    entered = _cell(row, "vru_entry", _clock)
    reached = _cell(row, "q_start" if wait_seconds else "vru_exit", _clock)
    if wait_seconds and reached == 0 and HOUR_SECONDS < entered < DAY_SECONDS - HOUR_SECONDS:
        reached = _cell(row, "vru_exit", _clock)  # the log's word for no time: it is no midnight's queue
    if reached < entered - HALF_DAY_SECONDS:
        reached += DAY_SECONDS
    elif reached > entered + HALF_DAY_SECONDS and reached < DAY_SECONDS:
        reached -= DAY_SECONDS
    # The log's clocks disagree by a minute at times: a queue's start is believed, a menu left before its entry is not.
    return reached if wait_seconds else max(reached, entered)


def _outcome(text: str) -> str:
    if (outcome := text.upper()) not in {"AGENT", "HANG", "PHANTOM"}:
        raise ValueError(f"{text!r} is none of AGENT, HANG, PHANTOM")
    return outcome


def _clock(text: str) -> int:
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d):([0-5]\d)", text)
    if not match:
        raise ValueError(f"{text!r} is no time of day (h:mm:ss)")
    hours, minutes, seconds = map(int, match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _duration(text: str) -> int:
    """Seconds. A negative time across midnight gets a day added; one from disagreeing clocks counts as 0."""
    try:
        seconds = int(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no number of seconds") from None
    if abs(seconds) > DAY_SECONDS:
        raise ValueError(f"{text!r} is longer than a day")
    return max(0, seconds + DAY_SECONDS if seconds < -HALF_DAY_SECONDS else seconds)


def _day(text: str) -> date:
    digits = re.sub(r"\D", "", text)
    try:
        return datetime.strptime(digits, {6: "%y%m%d", 8: "%Y%m%d"}[len(digits)]).replace(tzinfo=UTC).date()
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} is no date (yymmdd)") from None


def _id(text: str) -> str:
    cleaned = UNSAFE_IN_PATHS.sub("-", text)
    if not cleaned:
        raise ValueError("is blank")
    # Anything else would be refused when some of the call's events are on record already.
    if not any(map(str.isalnum, cleaned)) or len(cleaned) > ID_LETTERS:
        raise ValueError(f"{text[:ID_LETTERS]!r} makes no id: 1 to {ID_LETTERS} letters, a to z, or digits")
    return cleaned
