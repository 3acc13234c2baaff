"""A socket is opened and closed: it is listed with the rights of its token, for as long as both may last."""

from datetime import UTC, datetime, timedelta

from shared.usecases.access import Principal
from shared.usecases.feed.subscriptions import Listener, Registry

LONGEST = timedelta(hours=2)  # API Gateway closes every connection by then


def connect(registry: Registry, connection_id: str, principal: Principal, now: datetime) -> Listener:
    # As numbers: a token may last beyond the last year that a date can name.
    expires_at = datetime.fromtimestamp(min((now + LONGEST).timestamp(), principal.expires_at), UTC)
    listener = Listener(connection_id, principal, now, expires_at)
    registry.add(listener)
    return listener


def disconnect(registry: Registry, connection_id: str) -> None:
    """Best effort on API Gateway's side: what it does not tell us, a 410 or the expiry will."""
    registry.remove(connection_id)
