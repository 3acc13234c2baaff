"""Signed tokens (JWT, HS256) with a role, queues and an expiry.

Keys are text, one per line. The first key signs, and every key verifies. To change a key without rejecting tokens,
insert the new key first, and remove the old one when the last token that it signed has expired.
"""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, get_args

import jwt

from shared.adapters import clock
from shared.usecases.access import EVERY_QUEUE, Principal, Role

_ALGORITHM = "HS256"
_REQUIRED = {"require": ["exp", "role", "queues"]}
MIN_KEY_BYTES = 32  # RFC 7518, 3.2: the size of the hash


class TokenError(Exception):
    """The token is not valid. The message never contains the token."""


class UnknownKeyError(TokenError):
    """The signing key is unknown: the token is forged, or the key was added a moment ago."""


class WeakKeyError(Exception):
    """A key is too short and could be guessed."""

    def __init__(self) -> None:
        super().__init__(f"A key that signs tokens must have at least {MIN_KEY_BYTES} bytes.")


def parse_keys(keys: str) -> dict[str, str]:
    """The keys by name, the signing key first. Raises `WeakKeyError`."""
    lines = [line.strip() for line in keys.splitlines() if line.strip()]
    if not lines or any(len(key.encode()) < MIN_KEY_BYTES for key in lines):
        raise WeakKeyError
    return {hashlib.sha256(key.encode()).hexdigest()[:8]: key for key in lines}


def mint(
    keys: str,
    *,
    role: Role,
    queues: tuple[str, ...] = (EVERY_QUEUE,),
    ttl_seconds: float = 12 * 3600,
    now: datetime | None = None,
) -> str:
    name, key = next(iter(parse_keys(keys).items()))
    expiry = (now or clock.now()) + timedelta(seconds=ttl_seconds)
    claims = {"role": role, "queues": list(queues), "exp": expiry}
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": name})


def read(keys: str, token: str) -> Principal:
    """The holder of the token. Raises `TokenError`."""
    principal = _verified(keys, token)
    if principal.expires_at <= clock.now().timestamp():
        raise TokenError("The token has expired.")
    return principal


@lru_cache(256)  # a sender repeats its token with every request, and verifying it takes as long as the event's rules
def _verified(keys: str, token: str) -> Principal:
    try:
        key = parse_keys(keys).get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise UnknownKeyError("The token is not valid.")
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[_ALGORITHM], options=_REQUIRED)  # pyright: ignore[reportArgumentType] - a typed dictionary upstream
    except jwt.ExpiredSignatureError:
        raise TokenError("The token has expired.") from None
    except jwt.InvalidTokenError:
        raise TokenError("The token is not valid.") from None
    role, queues = claims["role"], claims["queues"]
    if role not in get_args(Role) or not isinstance(queues, list):
        raise TokenError("The token has an unknown role.")
    if not isinstance(claims["exp"], int | float):
        raise TokenError("The token's expiry is not a number.")
    return Principal(role, frozenset(str(queue) for queue in queues), int(claims["exp"]))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - claims are JSON, checked one by one
