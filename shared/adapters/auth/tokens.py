"""Signed tokens (JWT, HS256): a role, the queues it may see and an expiry.

Keys are text, one a line: the first signs, all check. So a key is changed without a moment at which a token fails: put
the new one first, and drop the old one when the last token that it signed has expired.
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
SHORTEST_BYTES = 32  # RFC 7518, 3.2: as long as the hash


class TokenError(Exception):
    """The token does not prove what it says. Its message never contains the token."""


class UnknownKeyError(TokenError):
    """It was signed with none of the keys known: a forgery, or a key that was added a moment ago."""


class WeakKeyError(Exception):
    """A key that could be guessed is worse than none."""

    def __init__(self) -> None:
        super().__init__(f"A key that signs tokens has at least {SHORTEST_BYTES} bytes.")


def ring(keys: str) -> dict[str, str]:
    """Each key under its name, the one that signs first. Raises `WeakKeyError`."""
    lines = [line.strip() for line in keys.splitlines() if line.strip()]
    if not lines or any(len(key.encode()) < SHORTEST_BYTES for key in lines):
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
    name, key = next(iter(ring(keys).items()))
    expiry = (now or clock.now()) + timedelta(seconds=ttl_seconds)
    claims = {"role": role, "queues": list(queues), "exp": expiry}
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": name})


def read(keys: str, token: str) -> Principal:
    """Who bears this token. Raises `TokenError`."""
    principal = _proven(keys, token)
    if principal.expires_at <= clock.now().timestamp():
        raise TokenError("The token has expired.")
    return principal


@lru_cache(256)  # a sender shows the same token with every request, and to prove it costs as much as the event's rules
def _proven(keys: str, token: str) -> Principal:
    try:
        key = ring(keys).get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise UnknownKeyError("The token is not valid here.")
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[_ALGORITHM], options=_REQUIRED)  # pyright: ignore[reportArgumentType] - a typed dictionary upstream
    except jwt.ExpiredSignatureError:
        raise TokenError("The token has expired.") from None
    except jwt.InvalidTokenError:
        raise TokenError("The token is not valid here.") from None
    role, queues = claims["role"], claims["queues"]
    if role not in get_args(Role) or not isinstance(queues, list):
        raise TokenError("The token names no role that is known here.")
    if not isinstance(claims["exp"], int | float):
        raise TokenError("The token's expiry is not a number.")
    return Principal(role, frozenset(str(queue) for queue in queues), int(claims["exp"]))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - claims are JSON, checked one by one
