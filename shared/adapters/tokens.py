"""Signed tokens (JWT, HS256): a role, the queues it may see and an expiry."""

from datetime import datetime, timedelta
from typing import Any, get_args

import jwt

from shared.adapters import clock
from shared.usecases.permissions import EVERY_QUEUE, Bearer, Role

_ALGORITHM = "HS256"


class TokenError(Exception):
    """The token does not prove what it says. Its message never contains the token."""


def mint(
    key: str,
    *,
    role: Role,
    queues: tuple[str, ...] = (EVERY_QUEUE,),
    ttl_seconds: float = 12 * 3600,
    now: datetime | None = None,
) -> str:
    expiry = (now or clock.now()) + timedelta(seconds=ttl_seconds)
    return jwt.encode({"role": role, "queues": list(queues), "exp": expiry}, key, algorithm=_ALGORITHM)


def read(key: str, token: str) -> Bearer:
    """Who bears this token. Raises `TokenError`."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[_ALGORITHM], options={"require": ["exp", "role", "queues"]}
        )
    except jwt.ExpiredSignatureError:
        raise TokenError("The token has expired.") from None
    except jwt.InvalidTokenError:
        raise TokenError("The token is not valid here.") from None
    role, queues = claims["role"], claims["queues"]
    if role not in get_args(Role) or not isinstance(queues, list):
        raise TokenError("The token names no role that is known here.")
    return Bearer(role, frozenset(str(queue) for queue in queues), claims["exp"])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - claims are JSON, checked one by one
