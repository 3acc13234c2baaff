"""Rows for Postgres, column by column: for both sides the quickest way, beside COPY, to hand over many."""

from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString

import orjson

Columns = Mapping[LiteralString, LiteralString]  # by name, in order, each with its type

DOCUMENT = "json"  # a column of this type is one JSON list, and has no nulls


def rows_of(columns: Columns) -> LiteralString:
    """The rows `r` for a `from`: a parameter for each column."""
    sources: LiteralString = ", ".join(
        ["json_array_elements(%s::json)" if kind == DOCUMENT else f"unnest(%s::{kind}[])" for kind in columns.values()]
    )
    return f"rows from ({sources}) as r ({', '.join(columns)})"


def by_column(columns: Columns, rows: Iterable[Sequence[object]]) -> list[str]:
    """The parameters of `rows_of`, of one row at least."""
    return [
        orjson.dumps(column).decode() if kind == DOCUMENT else array(column)
        for kind, column in zip(columns.values(), zip(*rows, strict=True), strict=True)
    ]


def array(values: Sequence[object]) -> str:
    """As Postgres reads an array: JSON's list in braces. Right for numbers, times, nulls and every text without control
    characters, which JSON would write in a way of its own; ids and JSON documents have none.
    """
    return f"{{{orjson.dumps(values)[1:-1].decode()}}}"
