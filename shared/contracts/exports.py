"""Lists of calls for other programs: NDJSON (one call per line) and CSV (RFC 4180)."""

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
    """Return the rows as CSV, nested values as JSON. Only the first page has a header, so that pages can be joined."""
    columns = list(fields or CALL_FIELDS)
    text = io.StringIO()
    lines = csv.writer(text)
    if header:
        lines.writerow(columns)
    lines.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """Put an apostrophe before text that a spreadsheet would read as a formula."""
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
