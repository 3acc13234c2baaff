"""A Switchboard of one socket for the client to talk to, and views and frames as it says them."""

import asyncio
import json
from collections import deque
from contextlib import aclosing, asynccontextmanager

import httpx
from websockets.asyncio.server import serve

from infra.client import Api, Feed


def call(call_id, version, status="waiting", **fields):
    return {"id": call_id, "version": version, "status": status, "queueId": "q", "flags": [], **fields}


def update(*calls, position=1, events=(), agents=()):
    return {
        "type": "update",
        "position": position,
        "calls": list(calls),
        "events": list(events),
        "agents": list(agents),
    }


def api(*answers, retry_seconds=5.0):
    """A client whose requests get these answers in turn, and the requests that it made."""
    left, made = deque(answers), []

    def answer(request):
        made.append(request)
        answer = left.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Api("http://floor/stage", "t0k", retry_seconds=retry_seconds, transport=httpx.MockTransport(answer)), made


def problem(status, **fields):
    document = {"type": "about:blank", "status": status, **fields}
    return httpx.Response(status, json=document, headers={"Content-Type": "application/problem+json"})


NO_CHANGES = {"reset": False, "calls": [], "left": [], "agents": []}


class Server:
    """A Switchboard with one socket. It sends what the test chooses, and keeps what it receives."""

    def __init__(self):
        self.heard: asyncio.Queue = asyncio.Queue()
        self.sockets: asyncio.Queue = asyncio.Queue()
        self.calls, self.changed, self.position, self.reads, self.failures = [], [], 0, 0, 0

    async def socket(self, socket):
        self.sockets.put_nowait(socket)
        async for message in socket:
            self.heard.put_nowait(json.loads(message))

    def rest(self, request):
        if request.url.path.endswith("/api/agents"):
            return httpx.Response(200, json={"data": []})
        if self.failures:
            self.failures -= 1
            return problem(500)
        if "since" in request.url.params:
            return httpx.Response(200, json={**NO_CHANGES, "calls": self.changed, "position": self.position + 90})
        self.reads += 1
        return httpx.Response(200, json={"data": self.calls, "nextCursor": None, "position": self.position})

    async def subscribed(self, position=0, replayed=False):
        """The next connection, once it has asked; and what it asked for."""
        socket, asked = await self.sockets.get(), await self.heard.get()
        await say(socket, type="subscribed", topics=asked["topics"], position=position, replayed=replayed)
        return socket, asked


async def say(socket, **frame):
    await socket.send(json.dumps(frame))


@asynccontextmanager
async def following(topics=("queue:q",), **options):
    """A feed that follows a server, and its updates."""
    server = Server()
    async with asyncio.timeout(10), serve(server.socket, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        client = Api("http://floor", "t", transport=httpx.MockTransport(server.rest))
        feed = Feed(client, f"ws://127.0.0.1:{port}/stage", "t", topics, **options)
        async with client, aclosing(feed.updates()) as updates:
            yield server, feed, updates


@asynccontextmanager
async def refusing(*answers):
    """FeedUpdate of a feed whose handshake is refused with a 403, and whose REST gives these answers."""

    def refuse(connection, _):
        return connection.respond(403, "no")

    async with asyncio.timeout(10), serve(Server().socket, "127.0.0.1", 0, process_request=refuse) as listening:
        port = listening.sockets[0].getsockname()[1]
        client, _ = api(*answers)
        async with aclosing(Feed(client, f"ws://127.0.0.1:{port}", "t", ["queue:q"]).updates()) as updates:
            yield updates


async def until(updates, kind):
    return [item async for item in _up_to(updates, kind)][-1]


async def _up_to(updates, kind):
    async for item in updates:
        yield item
        if item.kind == kind:
            return


async def both(one, other):
    """What the first gives, once both are done."""
    first, _ = await asyncio.gather(one, other)
    return first
