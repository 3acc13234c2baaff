"""The signing keys of this process, from its settings or from a secret. A secret is cached for some minutes."""

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
CACHE_TIME = timedelta(minutes=5)  # a removed key stays valid for this time
MIN_FETCH_INTERVAL = timedelta(seconds=10)  # limits how often forged tokens cause a fetch


class Keys:
    """`fetch` returns the keys, one per line. If it fails, the cached keys remain valid."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch
        self._keys = ""
        self._fetched_at: datetime | None = None

    def authenticate(self, token: str, now: datetime) -> Principal:
        """Raises `TokenError`, or `SecretError` if no key has ever been fetched."""
        self._refresh(now, CACHE_TIME)
        try:
            return tokens.read(self._keys, token)
        except tokens.UnknownKeyError:
            if not self._refresh(now, MIN_FETCH_INTERVAL):
                raise
            return tokens.read(self._keys, token)  # with a key that was added a moment ago

    def current(self, now: datetime) -> list[str]:
        """The current keys, the signing key first. Raises `SecretError` if no key has ever been fetched."""
        self._refresh(now, CACHE_TIME)
        return list(tokens.parse_keys(self._keys).values())

    def _refresh(self, now: datetime, max_age: timedelta) -> bool:
        """Whether the keys have changed."""
        if self._fetched_at is not None and now - self._fetched_at < max_age:
            return False
        before = self._keys
        try:
            self._keys = self._fetch()
        except secrets.SecretError as error:
            if not self._keys:
                raise
            _log.error("The signing keys could not be refreshed: %s", error)
        self._fetched_at = now
        return self._keys != before


def authenticate(token: str) -> Principal:
    """The holder of the token, verified with the keys of this process. Raises `TokenError`, `SecretError`."""
    return _keys(settings().token_key, settings().token_key_name).authenticate(token, clock.now())


def current_keys() -> list[str]:
    """The keys of this process, the signing key first. Raises `SecretError`."""
    return _keys(settings().token_key, settings().token_key_name).current(clock.now())


@cache
def _keys(value: str, name: str) -> Keys:
    if name:
        return Keys(lambda: secrets.fetch(name, settings().aws_region, settings().aws_endpoint_url))
    if not value:
        raise SettingMissingError("TOKEN_KEY or TOKEN_KEY_NAME")
    return Keys(lambda: value)
