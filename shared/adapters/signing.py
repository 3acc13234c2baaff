"""Signs requests to AWS with the function's own role.

By Signature Version 4, as AWS has it (*Create a signed API request*). botocore finds the credentials; its own signer
takes longer than all else that a post costs, and a relay signs each. A test holds the two together. Imported only where
AWS is really there.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import botocore.session  # pyright: ignore[reportMissingTypeStubs] - untyped upstream

from shared.adapters import clock

_ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    def __init__(self, service: str, now: Callable[[], datetime] = clock.now) -> None:
        session: Any = botocore.session.get_session()  # pyright: ignore[reportUnknownMemberType] - untyped upstream
        self._credentials: Any = session.get_credentials()
        self._now, self._service, self._region = now, service, session.get_config_variable("region")

    def headers(self, method: str, url: str, body: bytes, more: dict[str, str] | None = None) -> dict[str, str]:
        """All headers to send but Host, with `more`. `url` has no query, and its path is quoted.

        The credentials are asked each time: a role's change within the hour.
        """
        keys = self._credentials.get_frozen_credentials()
        at = f"{self._now():%Y%m%dT%H%M%SZ}"
        sent = {**(more or {}), "X-Amz-Date": at} | ({"X-Amz-Security-Token": keys.token} if keys.token else {})
        host, _, path = url.partition("://")[2].partition("/")
        named = sorted((name.lower(), value) for name, value in (*sent.items(), ("host", host)))
        names = ";".join(name for name, _ in named)
        request = "\n".join(
            [method, f"/{quote(path)}", "", *(f"{name}:{value}" for name, value in named), "", names, _digest(body)]
        )
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(_key(keys.secret_key, scope), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={keys.access_key}/{scope}"
        sent["Authorization"] = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        return sent


@lru_cache(maxsize=8)
def _key(secret: str, scope: str) -> bytes:
    """The same for a day."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


@lru_cache(maxsize=16)
def _digest(content: bytes) -> str:
    """Kept, because a frame goes to many."""
    return hashlib.sha256(content).hexdigest()
