"""Signs requests to AWS with the function's role, by Signature Version 4 (AWS: *Create a signed API request*).

Optimisation: a relay signs each post, and botocore's signer takes five times as long, which is more than the post
itself. `bench/optimisations.py` measures both. A test compares the signatures, and the local cloud verifies them.
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

    def headers(
        self, method: str, url: str, body: bytes, extra_headers: dict[str, str] | None = None
    ) -> dict[str, str]:
        """All headers except Host, including `extra_headers`. `url` has no query, and its path is quoted.

        Reads the keys each time. Raises `SettingMissingError` if there are none.
        """
        keys = self._keys()
        at = f"{self._now():%Y%m%dT%H%M%SZ}"
        headers = {**(extra_headers or {}), "X-Amz-Date": at} | (
            {"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}
        )
        host, _, path = url.partition("://")[2].partition("/")
        canonical = sorted((name.lower(), value) for name, value in (*headers.items(), ("host", host)))
        names = ";".join(name for name, _ in canonical)
        request = "\n".join(
            [method, f"/{quote(path)}", "", *(f"{name}:{value}" for name, value in canonical), "", names, _digest(body)]
        )
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(_key(keys.secret, scope), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={keys.key_id}/{scope}"
        headers["Authorization"] = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        return headers


@lru_cache(maxsize=8)
def _key(secret: str, scope: str) -> bytes:
    """The signing key. It is the same for a day."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


@lru_cache(maxsize=16)
def _digest(content: bytes) -> str:
    """Cached, because a frame is sent to many connections."""
    return hashlib.sha256(content).hexdigest()
