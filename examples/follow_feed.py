"""Follow topics of a running Switchboard: python examples/follow_feed.py API WEBSOCKET TOKEN TOPIC…"""

import json
import random
import sys
import time
from urllib.parse import urlencode

import httpx
from feed_client import Feed
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

OUTAGES = OSError, WebSocketException, httpx.TransportError


def follow(api, websocket, token, topics):
    """Yield the feed after each frame, across outages. Raises PermissionError when the token or a topic is refused."""
    feed, attempt = Feed(topics), 0
    address = f"{websocket}?{urlencode({'token': token})}"
    with httpx.Client(base_url=api, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        while True:
            try:
                get(http, "/api/queues")
                with connect(address, ping_interval=None) as socket:
                    for is_subscribed in frames(feed, socket):
                        if is_subscribed and feed.needs_snapshot:
                            feed.snapshot(list(pages(http)), get(http, "/api/agents")["data"])
                        attempt = 0 if is_subscribed else attempt
                        yield feed
            except OUTAGES as error:
                if isinstance(error, PermissionError):
                    raise
            time.sleep(random.uniform(0.5, 1) * min(30, 0.5 * 2**attempt))
            attempt += 1


def frames(feed, socket):
    """Subscribe, and take frames in for ten minutes at most. Yields after each whether the connection is subscribed."""
    socket.send(json.dumps(feed.subscribe()))
    until, is_subscribed = time.monotonic() + 600, False
    while time.monotonic() < until:
        frame = json.loads(socket.recv(timeout=60))
        if frame["type"] == "error" and not is_subscribed:
            raise (PermissionError if frame["problem"]["status"] == 403 else ConnectionError)(frame["problem"])
        is_subscribed |= frame["type"] == "subscribed"
        feed.hear(frame, time.monotonic())
        yield is_subscribed


def pages(http):
    query = {"status": "waiting,active,on_hold", "limit": 500}
    while query:
        page = get(http, "/api/calls", **query)
        yield page
        query = query | {"cursor": page["nextCursor"]} if page["nextCursor"] else None


def get(http, path, **query):
    answer = http.get(path, params=query)
    if answer.status_code in (401, 403):
        raise PermissionError(answer.text)
    if not answer.is_success:
        raise ConnectionError(answer.text)
    return answer.json()


if __name__ == "__main__":
    for feed in follow(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]):
        print(f"{len(feed.calls)} live calls, {len(feed.agents)} agents", flush=True)
