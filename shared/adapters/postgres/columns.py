"""Passes many rows to a statement, one parameter per column: the fastest way for both sides except COPY."""

from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString

import orjson

Columns = Mapping[LiteralString, LiteralString]  # types by column name, in order

DOCUMENT = "json"  # a column of this type is passed as one JSON list, and has no nulls


def rows_from(columns: Columns) -> LiteralString:
    """The rows `r` of a `from` clause, with a parameter for each column."""
    sources: LiteralString = ", ".join(
        ["json_array_elements(%s::json)" if kind == DOCUMENT else f"unnest(%s::{kind}[])" for kind in columns.values()]
    )
    return f"rows from ({sources}) as r ({', '.join(columns)})"


def column_values(columns: Columns, rows: Iterable[Sequence[object]]) -> list[str]:
    """The parameters of `rows_from`, for at least one row."""
    return [
        orjson.dumps(column).decode() if kind == DOCUMENT else array_text(column)
        for kind, column in zip(columns.values(), zip(*rows, strict=True), strict=True)
    ]


def array_text(values: Sequence[object]) -> str:
    """The text form of a Postgres array: a JSON list in braces.

    Correct for numbers, times, nulls and text without control characters, which JSON escapes differently. Ids and JSON
    documents have none.
    """
    return f"{{{orjson.dumps(values)[1:-1].decode()}}}"
