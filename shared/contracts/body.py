"""Reading what was sent, before anybody looks at what it means: size, text, JSON, shape."""

import json
from codecs import BOM_UTF8
from typing import Any, NoReturn

from shared.contracts.problems import refuse

MAX_BYTES = 256 * 1024
MAX_BATCH = 500


def parse_json(raw: bytes) -> Any:  # noqa: ANN401 - JSON is anything until a contract has looked at it
    """The body as JSON. Raises `ProblemError` (400, 413) saying where it stops being that."""
    if len(raw) > MAX_BYTES:
        raise refuse(413, f"The body is {len(raw)} bytes long, {MAX_BYTES} at most.", ("body", "is too long"))
    try:
        return _DECODER.decode(raw.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError:
        raise refuse(400, "The body is not UTF-8.", ("body", "is not UTF-8")) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise refuse(400, f"The body is not JSON: {error.msg} at {where}.", ("body", error.msg)) from None
    except RecursionError:
        raise refuse(400, "The body is nested too deep.", ("body", "is nested too deep")) from None
    except ValueError:  # a number with more digits than Python reads
        raise refuse(400, "The body has a number that is too long.", ("body", "has a number too long")) from None


def items(body: Any) -> list[Any]:  # noqa: ANN401 - as above
    """One event or a batch of them, as a list. Raises `ProblemError` (400, 413)."""
    if not isinstance(body, list):
        return [body]
    batch: list[Any] = [*body]  # pyright: ignore[reportUnknownVariableType] - JSON
    if not batch:
        raise refuse(400, "The batch is empty.", ("body", "is empty"))
    if len(batch) > MAX_BATCH:
        raise refuse(413, f"The batch has {len(batch)} events, {MAX_BATCH} at most.", ("body", "has too many events"))
    return batch


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What a repeated name means differs from parser to parser, so it means nothing here."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        field = twice.encode(errors="backslashreplace").decode()  # a lone surrogate cannot be told to anybody
        raise refuse(400, f"The name {twice!r} stands twice in one object.", (field, "stands twice in one object"))
    return found


def _not_a_number(name: str) -> NoReturn:
    raise refuse(400, f"{name} is not JSON.", ("body", f"contains {name}"))


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_a_number)
