"""The REST client: a connection pool, retries during outages, and problem details as exceptions."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

Json = dict[str, Any]
Outcome = httpx.Response | httpx.TransportError

LIVE = "waiting,active,on_hold"
PAGE_LIMIT = 500
ATTEMPT_TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
# Statuses of a gateway or a busy service: the same request can succeed later.
RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
PROBLEM_TYPE = "application/problem+json"


class Problem(Exception):
    """An error answer (RFC 9457 problem details). Its text is for people."""

    def __init__(self, status: int, document: Json) -> None:
        self.status = status
        self.document = document
        self.title = str(document.get("title") or document.get("message") or f"HTTP {status}")
        self.errors: list[Json] = document.get("errors") or []
        super().__init__(self._text())

    def _text(self) -> str:
        parts = [f"{self.status} {self.title}"]
        if detail := self.document.get("detail"):
            parts.append(str(detail))
        parts += [f"{error.get('field') or 'body'}: {error.get('message')}" for error in self.errors]
        return "\n  ".join(parts)


class Unreachable(Exception):
    """No answer within `retry_seconds`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer to one event."""

    status: int
    """201 applied, 202 deferred, 200 replayed."""
    outcome: str
    """`applied`, `deferred` or `replayed`."""
    event_id: str
    call_id: str | None
    """None for an agent's event."""
    call: Json | None
    """The call's view after the event."""
    seconds: float = 0.0
    """Duration of the request, retries included."""


class Api:
    """Sends requests to `{base}/api/…`. Repeats safe requests with backoff for `retry_seconds`."""

    def __init__(
        self,
        base: str,
        token: str,
        *,
        retry_seconds: float = 30.0,
        connections: int = 32,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self._retry_seconds = retry_seconds
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=ATTEMPT_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            transport=transport,
        )
        self.repeats = 0
        self._has_answered = False
        self._last_poll: tuple[str, Json] | None = None  # entity tag and answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def record(self, event: Json) -> Recorded:
        """Send one event. Raises `Problem` if it is refused."""
        clock = asyncio.get_running_loop().time
        began = clock()
        response = await self.request("POST", "/api/events", json=event, repeatable="eventId" in event)
        return _recorded(response.status_code, response.json(), clock() - began)

    async def record_many(self, events: Sequence[Json], *, history: bool = False) -> list[Recorded | Problem]:
        """Send up to 500 events in one request. The answers have the order of the events."""
        response = await self.request(
            "POST",
            "/api/events",
            json=list(events),
            params={"history": "true"} if history else None,
            repeatable=all("eventId" in event for event in events),
        )
        return [
            Problem(item["status"], item["problem"]) if "problem" in item else _recorded(item["status"], item)
            for item in response.json()["results"]
        ]

    async def call(self, call_id: str) -> Json:
        return await self._read(f"/api/calls/{call_id}")

    async def calls(self, **filters: str | int) -> list[Json]:
        """All calls that match the filters, from all pages."""
        return [call async for page in self.pages("/api/calls", **filters) for call in page["data"]]

    async def changes(self, since: int) -> Json:
        """The changes since a position: `calls`, `left`, `agents` and the next `position`, or `reset`."""
        tag, held = self._last_poll or ("", {})
        response = await self.request("GET", "/api/calls", params={"since": since}, headers={"If-None-Match": tag})
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return held  # the same answer as before
        self._last_poll = (response.headers.get("ETag", ""), response.json())
        return self._last_poll[1]

    async def history(self, call_id: str) -> list[Json]:
        return [event async for page in self.pages(f"/api/calls/{call_id}/events") for event in page["data"]]

    async def queues(self) -> list[Json]:
        return (await self._read("/api/queues"))["data"]

    async def agents(self) -> list[Json]:
        return (await self._read("/api/agents"))["data"]

    async def put_queue(self, queue_id: str, queue: Json) -> Json:
        return (await self.request("PUT", f"/api/queues/{queue_id}", json=queue)).json()

    async def put_agent(self, agent_id: str, agent: Json) -> Json:
        return (await self.request("PUT", f"/api/agents/{agent_id}", json=agent)).json()

    async def pages(self, path: str, **filters: str | int) -> AsyncIterator[Json]:
        filters.setdefault("limit", PAGE_LIMIT)
        cursor: str | None = None
        while True:
            page = await self._read(path, {**filters, **({"cursor": cursor} if cursor else {})})
            yield page
            cursor = page.get("nextCursor")
            if not cursor:
                return

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Json | None = None,
        headers: dict[str, str] | None = None,
        repeatable: bool = True,
    ) -> httpx.Response:
        """One request, repeated during an outage if `repeatable`. Raises `Problem` or `Unreachable`."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._retry_seconds
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            outcome = await self._attempt(method, path, json=json, params=params, headers=headers)
            if isinstance(outcome, httpx.Response) and outcome.status_code not in RETRYABLE_STATUSES:
                return _accepted(outcome)
            wait_seconds = max(_retry_after_seconds(outcome), random.uniform(pause_seconds / 2, pause_seconds))
            if not repeatable or loop.time() + wait_seconds > give_up_at:
                return self._given_up(outcome)
            self.repeats += 1
            await _pause(wait_seconds)
            pause_seconds = min(MAX_PAUSE_SECONDS, pause_seconds * 2)

    async def _attempt(self, method: str, path: str, **parts: Any) -> Outcome:  # noqa: ANN401 - httpx's own
        try:
            answer = await self._http.request(method, self.base + path, **parts)
        except httpx.TransportError as error:
            return error
        is_ours = answer.is_success or answer.headers.get("Content-Type", "").startswith(PROBLEM_TYPE)
        if self._has_answered and not is_ours and answer.status_code == httpx.codes.NOT_FOUND:
            # The gateway lost its API, because Switchboard is being deployed again. Without an earlier answer, the
            # address is wrong.
            return httpx.ConnectError("404, the gateway has no API at this address now", request=answer.request)
        self._has_answered |= is_ours
        return answer

    def _given_up(self, outcome: Outcome) -> httpx.Response:
        if isinstance(outcome, httpx.Response):
            return _accepted(outcome)
        raise Unreachable(f"{self.base} does not answer: {outcome or type(outcome).__name__}") from outcome

    async def _read(self, path: str, params: Json | None = None) -> Json:
        return (await self.request("GET", path, params=params)).json()


_pause = asyncio.sleep


def _recorded(status: int, body: Json, seconds: float = 0.0) -> Recorded:
    return Recorded(status, body["outcome"], body["eventId"], body.get("callId"), body.get("call"), seconds)


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return response
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {"title": response.reason_phrase, "detail": response.text[:500]}
    raise Problem(response.status_code, document)


def _retry_after_seconds(outcome: Outcome) -> float:
    """The answer's `Retry-After` in seconds. 0 for a date, which Switchboard does not send."""
    if isinstance(outcome, httpx.Response):
        text = outcome.headers.get("Retry-After", "")
        return float(text) if text.isdigit() else 0.0
    return 0.0
