"""Reads the body of a request: its size, encoding, JSON and batch length."""

import json
from codecs import BOM_UTF8
from typing import Any, NoReturn

from shared.contracts.problems import refuse

MAX_BYTES = 256 * 1024
MAX_BATCH = 500


def parse_json(raw: bytes) -> Any:  # noqa: ANN401 - JSON, not validated yet
    """Return the body as JSON. Raises `ProblemError` (400, 413) with the place of the error."""
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
    """Return the events of a body, which has one event or a batch. Raises `ProblemError` (400, 413)."""
    if not isinstance(body, list):
        return [body]
    batch: list[Any] = [*body]  # pyright: ignore[reportUnknownVariableType] - JSON
    if not batch:
        raise refuse(400, "The batch is empty.", ("body", "is empty"))
    if len(batch) > MAX_BATCH:
        raise refuse(413, f"The batch has {len(batch)} events, {MAX_BATCH} at most.", ("body", "has too many events"))
    return batch


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated name, because parsers differ in what it means."""
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        field = twice.encode(errors="backslashreplace").decode()  # a lone surrogate cannot be encoded
        raise refuse(400, f"The name {twice!r} appears twice in one object.", (field, "appears twice in one object"))
    return result


def _not_a_number(name: str) -> NoReturn:
    raise refuse(400, f"{name} is not JSON.", ("body", f"contains {name}"))


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_a_number)
