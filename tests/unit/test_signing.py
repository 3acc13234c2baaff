"""Our signature is the one that AWS's own client makes."""

from datetime import datetime

import botocore.auth
import botocore.session
import pytest
from botocore.exceptions import HTTPClientError

from shared.adapters.connections import address
from shared.adapters.signing import Signer

BASE = "https://abc.execute-api.eu-west-1.amazonaws.com/live"
FRAME = b'{"type":"pong"}'


@pytest.fixture(autouse=True)
def account(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def signed_by_aws(connection_id: str):
    client = botocore.session.get_session().create_client("apigatewaymanagementapi", endpoint_url=BASE)
    sent = []

    def catch(request, **_):
        sent.append(request)
        raise HTTPClientError(error="not sent: only its signature was wanted")

    client.meta.events.register("before-send", catch)
    with pytest.raises(HTTPClientError):
        client.post_to_connection(ConnectionId=connection_id, Data=FRAME)
    return sent[0]


@pytest.mark.parametrize("connection_id", ["L0SM9cOFvHcCIhw=", "a+b/c=="])
def test_the_signature_of_a_post(connection_id, monkeypatch):
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime(2026, 1, 31, 12))  # noqa: DTZ001 - as botocore has it
    theirs = signed_by_aws(connection_id)
    assert address(BASE, connection_id) == theirs.url
    ours = Signer("execute-api").headers("POST", theirs.url, FRAME)
    assert ours["X-Amz-Security-Token"] == "session"
    assert ours["Authorization"] == theirs.headers["Authorization"].decode()
