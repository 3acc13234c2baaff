"""`switchboard send`: send events and print the answer."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from infra.cli.address import ApiOption, TokenOption, fail, locate, run
from infra.client import Api, Problem
from shared.adapters.ids import new_id

Json = dict[str, Any]

EXAMPLE_QUEUE = "medical_spanish"
EXAMPLE_PAUSE_SECONDS = 1.0

console = Console()


def send(
    event: Annotated[
        str | None, typer.Argument(help="An event's name, its JSON, a file with its JSON, or - for standard input")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Send the five events of one call")] = False,
    call_id: Annotated[str | None, typer.Option(help="callId")] = None,
    queue: Annotated[str | None, typer.Option(help="queueId")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="voice or video")] = None,
    language: Annotated[str | None, typer.Option(help="The caller's language, such as es")] = None,
    agent: Annotated[str | None, typer.Option(help="agentId")] = None,
    routing: Annotated[float | None, typer.Option(help="routingTime in seconds")] = None,
    wait: Annotated[float | None, typer.Option(help="waitTime in seconds")] = None,
    hold: Annotated[float | None, typer.Option(help="holdDuration in seconds; 0 starts a hold")] = None,
    reason: Annotated[str | None, typer.Option(help="endReason of a call, or reason of an agent's status")] = None,
    duration: Annotated[float | None, typer.Option(help="duration in seconds")] = None,
    status: Annotated[str | None, typer.Option(help="An agent's status: available, away or offline")] = None,
    event_id: Annotated[str | None, typer.Option(help="eventId: an event that is sent twice is recorded once")] = None,
    occurred_at: Annotated[str | None, typer.Option(help="occurredAt, such as 2026-01-31T12:00:00Z")] = None,
    api: ApiOption = None,
    token: TokenOption = None,
) -> None:
    """Send one event (or an array of them) and print the answer."""
    if (event is None) != example:
        fail("Give an event: its name, its JSON, a file, - for standard input, or --example for a whole call.")
    address = locate(api, token)
    if event is None:
        run(_send_example(Api(address.api, address.token)))
        return
    fields = {
        "callId": call_id,
        "queueId": queue,
        "type": type_,
        "language": language,
        "agentId": agent,
        "routingTime": routing,
        "waitTime": wait,
        "holdDuration": hold,
        "reason" if event.startswith("agent_") else "endReason": reason,
        "duration": duration,
        "status": status,
        "eventId": event_id,
        "occurredAt": occurred_at,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    run(_send(Api(address.api, address.token), _body(event, given)))


def _body(argument: str, fields: Json) -> object:
    """The request body. Options add fields to JSON or replace them."""
    text = _text(argument)
    if text is None:
        if "." in argument or "/" in argument:  # not the name of an event
            fail(f"There is no file {argument}.")
        return {"event": argument, **fields}
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"This is not JSON: {error}.")
    if fields and not isinstance(body, dict):
        fail("Options apply to one event, not to an array.")
    return {**body, **fields} if fields else body


def _text(argument: str) -> str | None:
    """The JSON of the argument, or None for the name of an event."""
    if argument == "-":
        return sys.stdin.read()
    if argument.lstrip().startswith(("{", "[")):
        return argument
    try:
        # Not `is_file`: pipes work too, such as `send <(…)` and `send /dev/stdin`.
        return Path(argument).read_text() if Path(argument).exists() and not Path(argument).is_dir() else None
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{argument} is not readable: {error}.")


async def _send(api: Api, body: object) -> int:
    async with api:
        answer = await _post(api, body)
    return 1 if any("problem" in result for result in answer.get("results", ())) else 0


async def _post(api: Api, body: object) -> Json:
    repeatable = isinstance(body, dict) and "eventId" in body
    response = await api.request("POST", "/api/events", json=body, repeatable=repeatable)
    console.print(f"{response.status_code} {response.reason_phrase}", style="green", highlight=False)
    answer = response.json()
    console.print_json(data=answer)
    return answer


async def _send_example(api: Api) -> int:
    async with api:
        for body in _example(f"example-{new_id()[-12:]}", await _example_agent(api)):
            console.print_json(data=body)
            await _post(api, body)
            await asyncio.sleep(EXAMPLE_PAUSE_SECONDS)
    return 0


async def _example_agent(api: Api) -> str:
    """An agent of the queue, if possible an available one."""
    try:
        agents = [agent for agent in await api.agents() if EXAMPLE_QUEUE in agent["queues"]]
    except Problem:  # a sender's token does not permit reading
        agents = []
    agents.sort(key=lambda agent: agent["status"] != "available")
    return agents[0]["id"] if agents else "agent-1"


def _example(call_id: str, agent_id: str) -> list[Json]:
    call = {"callId": call_id}
    return [
        {"event": "call_initiated", **call, "type": "voice", "queueId": EXAMPLE_QUEUE},
        {"event": "call_routed", **call, "agentId": agent_id, "routingTime": 1},
        {"event": "call_answered", **call, "waitTime": 2},
        {"event": "call_hold", **call, "holdDuration": 1},
        {"event": "call_ended", **call, "endReason": "completed", "duration": 12},
    ]
