"""`switchboard tail`: print the feed."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from infra.cli.address import Address, ApiOption, TokenOption, WebsocketOption, errors, fail, locate, run
from infra.client import Api, Feed, FeedUpdate, Replica

Json = dict[str, Any]

STYLES = {"waiting": "yellow", "active": "green", "on_hold": "cyan", "ended": "dim"}
ALARMS = {"sla_breached", "hold_exceeded", "answer_timed_out"}

console = Console()


def tail(
    topics: Annotated[
        list[str] | None,
        typer.Argument(help="queue:ID (or just ID), call:ID, agent:ID, alerts:QUEUE, ops", show_default="all queues"),
    ] = None,
    queues: Annotated[
        list[str] | None, typer.Option("--queue", help="Only this queue, repeatable", show_default="all queues")
    ] = None,
    alerts: Annotated[bool, typer.Option("--alerts", help="Only calls that are or were flagged")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs")] = False,
    api: ApiOption = None,
    websocket: WebsocketOption = None,
    token: TokenOption = None,
) -> None:
    """Print events and changes as they happen. Reconnects after an outage; Ctrl-C ends it."""
    address = locate(api, token, websocket)
    if not address.websocket:
        fail("With --api, give --websocket too (or SWITCHBOARD_WEBSOCKET).")
    run(_tail(address, address.websocket, Wanted(tuple(topics or ()), tuple(queues or ()), alerts), as_json))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options. Without any, every queue is followed."""

    topics: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    only_alerts: bool = False

    def topics_of(self, queue_ids: Iterable[str]) -> list[str]:
        """The topics to subscribe to, if these are all queues."""
        kind = "alerts" if self.only_alerts else "queue"
        named = [topic if ":" in topic or topic == "ops" else f"{kind}:{topic}" for topic in self.topics]
        queues = self.queues if self.queues or named else queue_ids
        return [*named, *(f"{kind}:{queue_id}" for queue_id in queues)]

    def unknown(self, queue_ids: Collection[str]) -> list[str]:
        """The requested queues that are not among these."""
        parts = (topic.partition(":") for topic in self.topics_of(queue_ids))
        return [name for kind, _, name in parts if kind in ("queue", "alerts") and name not in queue_ids]


async def _tail(address: Address, websocket: str, wanted: Wanted, as_json: bool) -> int:
    async with Api(address.api, address.token) as api:
        queue_ids = [queue["id"] for queue in await api.queues()]
        if unknown := wanted.unknown(queue_ids):
            fail(f"There is no queue {unknown[0]}. Queues: {', '.join(queue_ids)}.")
        feed = Feed(api, websocket, address.token, wanted.topics_of(queue_ids))
        printer = Printer(feed)
        async with aclosing(feed.updates()) as updates:
            async for item in updates:
                if as_json:
                    _print_json(item)
                else:
                    printer.show(item)
    return 0


def _print_json(item: FeedUpdate) -> None:
    change = item.change
    lists = {"calls": change.calls, "events": change.events, "agents": change.agents, "left": change.left}
    # Not console.print: a program needs unwrapped lines without delay.
    print(json.dumps({"kind": item.kind, **lists, "detail": item.detail}), flush=True)  # noqa: T201 - output for programs


@dataclass
class Printer:
    """Prints changes as lines. Reports an outage once, not at each attempt to connect."""

    feed: Feed
    outage: str = ""

    def show(self, item: FeedUpdate) -> None:
        match item.kind:
            case "live":
                self.outage = ""
                _print_status(f"Live: {', '.join((item.frame or {}).get('topics', []))}", "green")
            case "lost":
                self._print_lost(item.detail)
            case "error":
                _print_status(item.detail, "red")
            case "snapshot":
                self._print_snapshot(item)
            case "update" | "polled":
                for line in lines(item, self.feed.replica):
                    console.print(line, soft_wrap=True)

    def _print_lost(self, why: str) -> None:
        before = self.outage

        self.outage = "polling until a connection succeeds" if self.feed.is_polling else "resuming"
        if self.outage != before:
            _print_status(f"Connection lost ({why}); {self.outage}.", "yellow")

    def _print_snapshot(self, item: FeedUpdate) -> None:
        for call in sorted(item.change.calls, key=lambda call: call["startTime"]):
            console.print(_call_line(call["startTime"], "", call, {}), soft_wrap=True)
        people = Counter(agent["status"] for agent in self.feed.replica.agents.values())
        _print_status(
            f"Agents: {', '.join(f'{count} {status}' for status, count in people.most_common()) or 'none'}", "blue"
        )


def _print_status(text: str, style: str) -> None:
    errors.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def lines(item: FeedUpdate, replica: Replica) -> Iterator[Text]:
    """A line for each event, for each changed call without an event, and for each agent."""
    with_event: set[str] = set()
    for event in item.change.events:
        call_id = event["callId"]
        with_event.add(call_id)
        call = replica.calls.get(call_id) or replica.ended.get(call_id) or {"id": call_id}
        yield _call_line(event["timestamp"], event["type"], call, event)
    for call in item.change.calls:
        if call["id"] not in with_event:
            yield _call_line(call["endTime"] or call["startTime"], "", call, {})
    for departure in item.change.left:
        yield Text.assemble(("            ", "dim"), f"  {departure['id']:<28}  left for another queue", style="dim")
    for agent in item.change.agents:
        reason = f" ({agent['reason']})" if agent.get("reason") else ""
        yield Text.assemble(_clock(agent["statusSince"]), f"  {agent['id']} is {agent['status']}{reason}", style="blue")


def _call_line(at: str, happened: str, call: Json, event: Json) -> Text:
    status = call.get("status", "")
    agent_id = (event.get("metadata") or {}).get("agentId") or call.get("agentId") or ""
    line = Text.assemble(
        (_clock(at), "dim"),
        f"  {call['id']:<28}  {call.get('queueId', ''):<16}  ",
        (f"{happened:<16}", "red" if happened in ALARMS else "bold"),
        "  ",
        (f"{status:<8}", STYLES.get(status, "")),
        f"  {agent_id:<15}",
        (f"  {' '.join(call.get('flags', ()))}", "red"),
        "  void" if event.get("void") else "",
    )
    line.rstrip()
    return line


def _clock(at: str) -> str:
    """The time of day of an RFC 3339 time."""
    return at[11:23]
