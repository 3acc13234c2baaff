"""Where a page ended, as an opaque text that nobody can make or change but us."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

import orjson

from shared.contracts.problems import ProblemError, refuse

_SEAL_BYTES = 12


class Cursors:
    """Seals the end of a page together with the list that it belongs to: it opens for that list only.

    The first key seals, any opens: a walk goes on while keys are changed.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [hashlib.sha256(b"cursor " + key.encode()).digest() for key in keys]

    def seal(self, listed: object, *place: str | int) -> str:
        body = orjson.dumps(place)
        return base64.urlsafe_b64encode(_seal(self._keys[0], listed, body) + body).decode().rstrip("=")

    def open(self, listed: object, cursor: str) -> list[Any]:
        """Raises `ProblemError` (400) for a cursor that was not given out here, for this list."""
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (ValueError, binascii.Error):
            raise _refused() from None
        seal, body = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not any(hmac.compare_digest(seal, _seal(key, listed, body)) for key in self._keys):
            raise _refused()
        return orjson.loads(body)


def _seal(key: bytes, listed: object, body: bytes) -> bytes:
    sealed = orjson.dumps(listed, option=orjson.OPT_SORT_KEYS) + b"\n" + body
    return hmac.digest(key, sealed, "sha256")[:_SEAL_BYTES]


def _refused() -> ProblemError:
    return refuse(400, "Not valid: cursor", ("cursor", "is not one that was given out here for this list"))
