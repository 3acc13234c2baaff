"""Named SQL statements in a file beside the Python module that runs them.

Statements longer than a few lines are in such a file, each with its name and purpose:

    -- name: due_timers
    -- Finds calls whose timers are due.
    select ...

Short statements, and statements composed for each request (lists of calls, figures), stay in Python.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import LiteralString, cast

_NAME = "-- name: "
_COMMENT = "--"


def load_queries(module_file: str, **fragments: LiteralString) -> Mapping[str, LiteralString]:
    """The statements of the `.sql` file beside a module, by name. A module passes its own `__file__`.

    `$name` in a statement inserts a fragment, or an earlier statement of the file; `$$` is a dollar sign. Raises
    `KeyError` if there is no such fragment.
    """
    queries: dict[str, LiteralString] = {}
    for part in Path(module_file).with_suffix(".sql").read_text().split(_NAME)[1:]:
        name, _, rest = part.partition("\n")
        lines = rest.splitlines()
        start = next(number for number, line in enumerate(lines) if not line.startswith(_COMMENT))
        text = Template("\n".join(lines[start:]).strip()).substitute(fragments, **queries)
        # The files belong to the program and contain no input, so their text is as safe as a literal.
        queries[name] = cast("LiteralString", text)
    return queries
