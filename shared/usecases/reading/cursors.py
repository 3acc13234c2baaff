"""The end of a page as an opaque, signed text."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

import orjson

from shared.contracts.problems import ProblemError, refuse

_SIGNATURE_BYTES = 12


class Cursors:
    """Signs the end of a page together with its list, so that a cursor is valid for this list only.

    The first key signs and every key verifies, so that cursors stay valid while keys are changed.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [hashlib.sha256(b"cursor " + key.encode()).digest() for key in keys]

    def encode(self, list_key: object, *place: str | int) -> str:
        body = orjson.dumps(place)
        return base64.urlsafe_b64encode(_sign(self._keys[0], list_key, body) + body).decode().rstrip("=")

    def decode(self, list_key: object, cursor: str) -> list[Any]:
        """Raises `ProblemError` (400) for a cursor of another list or deployment."""
        try:
            content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (ValueError, binascii.Error):
            raise _invalid() from None
        signature, body = content[:_SIGNATURE_BYTES], content[_SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(signature, _sign(key, list_key, body)) for key in self._keys):
            raise _invalid()
        return orjson.loads(body)


def _sign(key: bytes, list_key: object, body: bytes) -> bytes:
    content = orjson.dumps(list_key, option=orjson.OPT_SORT_KEYS) + b"\n" + body
    return hmac.digest(key, content, "sha256")[:_SIGNATURE_BYTES]


def _invalid() -> ProblemError:
    return refuse(400, "Not valid: cursor", ("cursor", "is not a cursor of this list"))
