"""The functions behind REST, called in this process with the events of API Gateway."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared import settings, wiring
from shared.adapters.auth import tokens
from tests.support.calls import story

KEY = "a key for tests, long enough for HS256"


class Api:
    """Calls the handlers; a token of an administrator unless another is given."""

    def __init__(self) -> None:
        from functions.ingest.app import app as ingest
        from functions.query.app import app as query

        self.apps = (ingest, query)

    def call(self, method: str, resource: str, body: Any = None, **options: Any) -> tuple[int, Any, dict[str, str]]:
        answer = self.raw(method, resource, body, **options)
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        return answer["statusCode"], json.loads(answer["body"] or "null"), headers

    def raw(
        self,
        method: str,
        resource: str,
        body: Any = None,
        *,
        token: str | None = None,
        query: dict[str, str] | None = None,
        queries: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
        is_base64: bool = False,
        **path: str,
    ) -> dict[str, Any]:
        token = tokens.mint(KEY, role="admin") if token is None else token
        sent = {"authorization": f"Bearer {token}"} if token else {}
        text = body if isinstance(body, str) else json.dumps(body)
        event = {
            "httpMethod": method,
            "resource": resource,
            "path": resource.format(**path),
            "requestContext": {"resourcePath": resource, "httpMethod": method, "path": resource.format(**path)},
            "pathParameters": path,
            "multiValueQueryStringParameters": queries
            or {name: [value] for name, value in (query or {}).items()}
            or None,
            "headers": {"content-type": "application/json", **sent, **(headers or {})},
            "body": text,
            "isBase64Encoded": is_base64,
            "stageVariables": None,
        }
        app = next(app for app in self.apps if method in app.routes.get(resource, {}))
        return app(event, None)

    def post(self, body: Any, **options: Any) -> tuple[int, Any, dict[str, str]]:
        return self.call("POST", "/api/events", body, **options)


@contextmanager
def serving(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The functions behind REST in this process, with this database and this Redis."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("TOKEN_KEY", KEY)
    forget()
    yield Api()
    wiring.database().close()
    wiring.reads()._database.close()
    wiring.publisher().close()
    forget()


def forget() -> None:
    """What a process keeps warm, so that each test begins as a cold start."""
    for cached in (settings.settings, *(value for value in vars(wiring).values() if hasattr(value, "cache_clear"))):
        cached.cache_clear()


TABLES = ("calls", "events", "timers", "outbox", "agent_events")


def nothing_recorded() -> bool:
    connection = wiring.database().connection()
    return all(connection.execute(f"select count(*) from {table}").fetchone() == (0,) for table in TABLES)  # type: ignore[arg-type]  # noqa: S608 - our own names


def assert_unavailable(answer: tuple[int, Any, dict[str, str]]) -> None:
    status, body, headers = answer
    assert (status, body["status"], headers["content-type"]) == (503, 503, "application/problem+json")
    assert int(headers["retry-after"]) > 0


SWEEP_ALIVE = "insert into heartbeats values ('sweep', 'a test', now() + interval '1 hour')"


RELAY_ALIVE = "insert into leases values (0, 1, now() + interval '1 hour')"


def tell(api: Api, numbers: range) -> None:
    answered = api.post([event for number in numbers for event in story(number)])[1]["results"]
    assert {result["status"] for result in answered} == {201}
