"""The protocol of docs/feed.md without sockets: frames and snapshots in, calls and agents out."""


def topics_of(view):
    if "queues" in view:
        return {f"agent:{view['id']}", *(f"queue:{queue}" for queue in view["queues"])}
    flagged = {f"alerts:{view['queueId']}" for _ in view["flags"]}
    return {f"queue:{view['queueId']}", f"call:{view['id']}", f"agent:{view['agentId']}"} | flagged


class Feed:
    def __init__(self, topics):
        self.topics, self.calls, self.agents, self.known, self.recent = list(topics), {}, {}, {}, []
        self.since, self.whole, self.needs_snapshot = None, -1, True

    def subscribe(self):
        self.recent = []
        return {"action": "subscribe", "topics": self.topics, **({} if self.since is None else {"since": self.since})}

    def put(self, held, view, position=-1, left=False):
        key, left = (held is self.agents, view["id"]), left or topics_of(view).isdisjoint(self.topics)
        ahead = view["version"] - self.known.get(key, -1)
        if ahead > 0 or (ahead == 0 and (left or held is self.agents)):
            self.known[key] = view["version"] - left
            is_new = held.pop(view["id"], None) is None
            if not left and view["status"] != "ended":
                held[view["id"]] = view
                self.needs_snapshot |= is_new and -1 < position <= self.whole

    def take(self, message, position=-1):
        for kind in ("calls", "left", "agents"):
            for view in message.get(kind, []):
                self.put(self.agents if kind == "agents" else self.calls, view, position, kind == "left")

    def hear(self, frame, now):
        if frame["type"] in ("subscribed", "update", "reset"):
            self.take(frame, frame["position"])
            self.needs_snapshot |= frame["type"] == "reset" or not frame.get("replayed", True)
            self.recent.append((now, frame["position"]))
            first = frame["position"] if self.since is None else self.since
            self.since = max([first, *(position for at, position in self.recent if now - at >= 5)])

    def snapshot(self, pages, agents):
        calls = [call for page in pages for call in page["data"]]
        self.take({"calls": calls, "agents": agents})
        for held, named in (self.calls, calls), (self.agents, agents):
            for missing in held.keys() - {view["id"] for view in named}:
                del held[missing]
        self.whole, self.needs_snapshot, self.since = pages[0]["position"], False, max(self.since, pages[0]["position"])
