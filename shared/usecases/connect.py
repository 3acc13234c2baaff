"""A socket is opened and closed: it is listed with the rights of its token, for as long as both may last."""

from datetime import UTC, datetime, timedelta

from shared.usecases.permissions import Bearer
from shared.usecases.registry import Listener, Registry

LONGEST = timedelta(hours=2)  # API Gateway closes every connection by then


def connect(registry: Registry, connection_id: str, bearer: Bearer, now: datetime) -> Listener:
    # As numbers: a token may last beyond the last year that a date can name.
    expires_at = datetime.fromtimestamp(min((now + LONGEST).timestamp(), bearer.expires_at), UTC)
    listener = Listener(connection_id, bearer, now, expires_at)
    registry.add(listener)
    return listener


def disconnect(registry: Registry, connection_id: str) -> None:
    """Best effort on API Gateway's side: what it does not tell us, a 410 or the expiry will."""
    registry.remove(connection_id)
