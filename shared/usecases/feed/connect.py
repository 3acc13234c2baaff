"""Add and remove WebSocket connections. A connection has the rights of its token until it expires."""

from datetime import UTC, datetime, timedelta

from shared.usecases.access import Principal
from shared.usecases.feed.subscriptions import Listener, Registry

MAX_CONNECTION_AGE = timedelta(hours=2)  # API Gateway's limit


def connect(registry: Registry, connection_id: str, principal: Principal, now: datetime) -> Listener:
    # Compared as numbers: a token may expire after the year 9999.
    expires_at = datetime.fromtimestamp(min((now + MAX_CONNECTION_AGE).timestamp(), principal.expires_at), UTC)
    listener = Listener(connection_id, principal, now, expires_at)
    registry.add(listener)
    return listener


def disconnect(registry: Registry, connection_id: str) -> None:
    """API Gateway may fail to report a disconnect. A 410 or the expiry then removes the connection."""
    registry.remove(connection_id)
