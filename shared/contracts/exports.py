"""Lists of calls in the forms that other programs take: NDJSON (a call a line) and CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence

import orjson

from shared.contracts.plain_json import Json
from shared.contracts.queries import CALL_FIELDS

CSV, NDJSON, JSON = "text/csv; charset=utf-8", "application/x-ndjson", "application/json"


def to_ndjson(encoded: Iterable[bytes]) -> str:
    return "".join(f"{row.decode()}\n" for row in encoded)


def to_csv(rows: Iterable[Json], fields: Sequence[str], *, header: bool) -> str:
    """What has parts of its own stands in its cell as JSON. Pages joined make one file: only the first has a header."""
    columns = list(fields or CALL_FIELDS)
    text = io.StringIO()
    lines = csv.writer(text)
    if header:
        lines.writerow(columns)
    lines.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet takes a text that begins like a formula for one, wherever it came from: it gets an apostrophe."""
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
