"""Our signature is the one that AWS's own client makes."""

from datetime import UTC, datetime, timedelta

import botocore.auth
import botocore.session
import pytest
from botocore.exceptions import HTTPClientError
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.aws.connections import connection_url
from shared.adapters.aws.sigv4 import Signer

REGION = "eu-west-1"

TODAY = datetime(2026, 1, 31, 12, 5, 9, tzinfo=UTC)
BASE = "https://abc.execute-api.eu-west-1.amazonaws.com/live"


@pytest.fixture(scope="module", autouse=True)
def account():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
        patch.setenv("AWS_SESSION_TOKEN", "session")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        yield patch


@pytest.fixture(scope="module")
def aws(account):
    """What AWS's own clients send, not sent: service, endpoint, operation, its parameters."""
    clients = {}

    def send(service: str, endpoint: str, operation: str, at: datetime = TODAY, **parameters):
        account.setattr(botocore.auth, "get_current_datetime", lambda: at.replace(tzinfo=None))
        sent = []

        def catch(request, **_):
            sent.append(request)
            raise HTTPClientError(error="not sent: only its signature was wanted")

        if service not in clients:
            clients[service] = botocore.session.get_session().create_client(service, endpoint_url=endpoint)
        client = clients[service]
        client.meta.events.register("before-send", catch)
        with pytest.raises(HTTPClientError):
            getattr(client, operation)(**parameters)
        client.meta.events.unregister("before-send", catch)
        return sent[0]

    return send


def signature(request) -> str:
    return request.headers["Authorization"].decode()


@given(
    st.text(alphabet="abcXYZ019+/=_-~ ", min_size=1),
    st.binary(max_size=200),
    st.integers(0, 3 * 24 * 3600).map(lambda seconds: TODAY + timedelta(seconds=seconds)),
)
def test_the_signature_of_a_post_and_of_a_close(aws, connection_id, frame, at):
    ours = Signer("execute-api", REGION, now=lambda: at)
    url = connection_url(BASE, connection_id)
    posted = aws("apigatewaymanagementapi", BASE, "post_to_connection", at, ConnectionId=connection_id, Data=frame)
    closed = aws("apigatewaymanagementapi", BASE, "delete_connection", at, ConnectionId=connection_id)
    assert url == posted.url
    assert ours.headers("POST", url, frame)["Authorization"] == signature(posted)
    assert ours.headers("DELETE", url, b"")["Authorization"] == signature(closed)


def test_the_signature_of_a_request_with_headers_of_its_own(aws):
    theirs = aws("secretsmanager", "https://secrets.eu-west-1.amazonaws.com/", "get_secret_value", SecretId="key")
    more = {name: theirs.headers[name].decode() for name in ("Content-Type", "X-Amz-Target")}
    ours = Signer("secretsmanager", REGION, now=lambda: TODAY).headers("POST", theirs.url, theirs.body, more)
    assert ours.items() >= more.items()
    assert ours["X-Amz-Security-Token"] == "session"
    assert ours["Authorization"] == signature(theirs)


def test_credentials_without_a_session(account):
    with account.context() as patch:
        patch.delenv("AWS_SESSION_TOKEN")
        ours = Signer("secretsmanager", REGION, now=lambda: TODAY).headers("POST", f"{BASE}/", b"")
    assert "X-Amz-Security-Token" not in ours and "SignedHeaders=host;x-amz-date," in ours["Authorization"]
