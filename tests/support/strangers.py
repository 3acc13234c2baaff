"""Tokens that are invalid where this key signs."""

import warnings
from datetime import timedelta
from typing import Any

import jwt

from shared.adapters import clock
from shared.adapters.auth import tokens


def strangers(key: str) -> dict[str, str]:
    name, other_key = next(iter(tokens.parse_keys(key))), "another key that is long enough for HS256"
    claims = {"role": "admin", "queues": ["*"], "exp": clock.now() + timedelta(hours=1)}
    headers, _, signature = tokens.mint(key, role="sender").split(".")
    _, more_rights, _ = tokens.mint(key, role="admin").split(".")

    def made(key: str, algorithm: str = "HS256", **others: Any) -> str:
        """Under the name of the key that signs here."""
        payload = {claim: value for claim, value in (claims | others).items() if value is not None}
        with warnings.catch_warnings(action="ignore", category=jwt.InsecureKeyLengthWarning):
            return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": name})

    return {
        "none": "",
        "nonsense": "nonsense",
        "expired": tokens.mint(key, role="admin", ttl_seconds=-1),
        "of another issuer": tokens.mint(other_key, role="admin"),
        "of another issuer who names our key": made(other_key),
        "unsigned": made("", "none"),
        "signed by another algorithm": made(key, "HS512"),
        "changed since it was signed": f"{headers}.{more_rights}.{signature}",
        "without an end": made(key, exp=None),
        "no role": made(key, role="owner"),
        "no list of queues": made(key, queues="*"),
        "an end that is no number": made(key, exp=str(int(claims["exp"].timestamp()))),
    }
