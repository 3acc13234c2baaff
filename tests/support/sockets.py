"""The socket handlers, called in this process with the events of API Gateway."""

import asyncio
import json

from functions.broadcast import app as broadcast
from shared import wiring
from shared.adapters.auth import tokens
from shared.settings import settings
from tests.support.stage import Stage

KEY = "a key for tests that is long enough for HS256"


CACHED = (settings, wiring.database, wiring.registry, wiring.connections)


class Sockets:
    """Calls the handlers with events in API Gateway's form."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def connect(self, connection_id: str, token: str | None) -> int:
        parameters = {"token": token} if token else None
        return await self._call(broadcast.connect, connection_id, queryStringParameters=parameters)

    async def enter(self, connection_id: str, role: tokens.Role = "supervisor", queues=("*",)) -> None:
        assert await self.connect(connection_id, tokens.mint(KEY, role=role, queues=tuple(queues))) == 200

    async def say(self, connection_id: str, body: object) -> list[dict]:
        """What is answered, in order."""
        before = len(self.stage.gateway.frames[connection_id])
        text = body if isinstance(body, str) else json.dumps(body)
        assert await self._call(broadcast.message, connection_id, body=text) == 200
        return self.stage.gateway.frames[connection_id][before:]

    async def disconnect(self, connection_id: str) -> int:
        return await self._call(broadcast.disconnect, connection_id)

    async def _call(self, handler, connection_id: str, **event) -> int:
        event["requestContext"] = {"connectionId": connection_id}
        return (await asyncio.to_thread(handler, event, None))["statusCode"]


def subscribe(*topics: str, **more) -> dict:
    return {"action": "subscribe", "topics": list(topics), **more}
