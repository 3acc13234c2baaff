"""Signs requests to AWS with the function's own role.

By Signature Version 4, as AWS has it (*Create a signed API request*). botocore's own signer takes longer than all else
that a post costs, and a relay signs each post. A test compares the two. The local cloud verifies the signatures too.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from shared.adapters import clock
from shared.settings import AwsKeys, aws_keys

_ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    def __init__(
        self,
        service: str,
        region: str,
        keys: Callable[[], AwsKeys] = aws_keys,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._service, self._region, self._keys, self._now = service, region, keys, now

    def headers(self, method: str, url: str, body: bytes, more: dict[str, str] | None = None) -> dict[str, str]:
        """All headers to send but Host, with `more`. `url` has no query, and its path is quoted.

        The keys are read each time. Raises `SettingMissingError` where there are none.
        """
        keys = self._keys()
        at = f"{self._now():%Y%m%dT%H%M%SZ}"
        sent = {**(more or {}), "X-Amz-Date": at} | (
            {"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}
        )
        host, _, path = url.partition("://")[2].partition("/")
        named = sorted((name.lower(), value) for name, value in (*sent.items(), ("host", host)))
        names = ";".join(name for name, _ in named)
        request = "\n".join(
            [method, f"/{quote(path)}", "", *(f"{name}:{value}" for name, value in named), "", names, _digest(body)]
        )
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(_key(keys.secret, scope), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={keys.key_id}/{scope}"
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
