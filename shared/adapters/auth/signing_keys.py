"""The keys of this process: given with its settings, or read by name, kept for some minutes and read anew in need."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

from shared.adapters import clock
from shared.adapters.auth import tokens
from shared.adapters.aws import secrets
from shared.settings import SettingMissingError, settings
from shared.usecases.access import Principal

_log = logging.getLogger(__name__)
KEPT = timedelta(minutes=5)  # a key that was dropped is good for so much longer
READ_AT_MOST_EVERY = timedelta(seconds=10)  # forged tokens must not make us ask at their pace


class Keys:
    """`fetch` reads them, one a line. While it fails, the keys known are good."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._keys = ""
        self._read_at: datetime | None = None

    def authenticate(self, token: str, now: datetime) -> Principal:
        """Raises `TokenError`; `SecretError` where no key was ever read."""
        self._refresh(now, KEPT)
        try:
            return tokens.read(self._keys, token)
        except tokens.UnknownKeyError:
            if not self._refresh(now, READ_AT_MOST_EVERY):
                raise
            return tokens.read(self._keys, token)  # a key that was added a moment ago

    def ring(self, now: datetime) -> list[str]:
        """The keys as they are now, the signing one first. Raises `SecretError` where no key was ever read."""
        self._refresh(now, KEPT)
        return list(tokens.ring(self._keys).values())

    def _refresh(self, now: datetime, after: timedelta) -> bool:
        """Whether there are other keys now."""
        if self._read_at is not None and now - self._read_at < after:
            return False
        before = self._keys
        try:
            self._keys = self._fetch()
        except secrets.SecretError as error:
            if not self._keys:
                raise
            _log.error("The keys were not read anew: %s", error)
        self._read_at = now
        return self._keys != before


def authenticate(token: str) -> Principal:
    """Who bears this token, by the keys of this process. Raises `TokenError`, `SecretError`."""
    return _keys(settings().token_key, settings().token_key_name).authenticate(token, clock.now())


def ring() -> list[str]:
    """The keys of this process. Raises `SecretError`."""
    return _keys(settings().token_key, settings().token_key_name).ring(clock.now())


@cache
def _keys(value: str, name: str) -> Keys:
    if name:
        return Keys(lambda: secrets.fetch(name, settings().aws_region, settings().aws_endpoint_url))
    if not value:
        raise SettingMissingError("TOKEN_KEY or TOKEN_KEY_NAME")
    return Keys(lambda: value)
