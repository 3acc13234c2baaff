"""`switchboard dead-letters`: list dead letters, and redrive them."""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from infra import aws
from infra.cli.address import ApiOption, TokenOption, fail, locate, run
from infra.client import Api
from infra.home import Home
from infra.operation.dead_letters import Message, QueueDeadLetters

Json = dict[str, Any]
MAX_IDS = 500  # in one redrive request
PATH = "/api/dead-letters"
NONE = "There are no dead letters."

console = Console(highlight=False, soft_wrap=True)


class Action(StrEnum):
    LIST = "list"
    REDRIVE = "redrive"


def dead_letters(
    action: Annotated[Action, typer.Argument(help="list or redrive")] = Action.LIST,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids to redrive")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Redrive all current dead letters")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line")] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Messages in the queue's dead-letter queue, instead of events")
    ] = False,
    queue_url: Annotated[str | None, typer.Option(help="The event queue's URL  [default: the local run's]")] = None,
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    api: ApiOption = None,
    token: TokenOption = None,
) -> None:
    """List dead letters with their reasons, or redrive them. Exits with 1 if a redrive failed."""
    if action is Action.REDRIVE and bool(ids) == everything:
        fail("Give the ids to redrive, or --all.")
    if queue or queue_url:
        _handle_queue(_queue_dead_letters(queue_url, region), action, set(ids or ()), as_json)
        return
    address = locate(api, token)
    client = Api(address.api, address.token)
    run(_list(client, as_json) if action is Action.LIST else _redrive(client, ids or [], as_json))


async def _list(api: Api, as_json: bool) -> int:
    async with api:
        count = 0
        async for page in api.pages(PATH):
            for letter in page["data"]:
                count += 1
                _show(letter, _line(letter), as_json)
    if not count and not as_json:
        console.print(NONE)
    return 0


async def _redrive(api: Api, ids: Sequence[str], as_json: bool) -> int:
    failed = False
    async with api:
        wanted = ids or [letter["id"] async for page in api.pages(PATH) for letter in page["data"]]
        if not wanted and not as_json:
            console.print(NONE)
        for batch in _batches(dict.fromkeys(wanted)):
            answer = (await api.request("POST", f"{PATH}/redrive", json={"ids": batch})).json()
            for result in answer["results"]:
                failed = failed or "problem" in result
                _show(result, f"{result['id']}  {_outcome(result)}", as_json)
    return int(failed)


def _batches(ids: Sequence[str] | dict[str, None]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, MAX_IDS)):
        yield batch


def _line(letter: Json) -> str:
    where = letter["queueId"] or "unknown queue"
    head = (
        f"{letter['failedAt']}  {letter['kind']:<12}  {letter['id']}  {letter['type']} of {letter['callId']}, {where}"
    )
    return f"{head}\n    {letter['reason']} Attempts: {letter['attempts']}."


def _outcome(result: Json) -> str:
    return result["problem"]["detail"] if "problem" in result else result["outcome"]


def _show(document: Json, line: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
    else:
        console.print(line, markup=False)


def _queue_dead_letters(queue_url: str | None, region: str) -> QueueDeadLetters:
    if queue_url:
        return QueueDeadLetters(aws.client("sqs", region), queue_url)
    state = Home.current().read_state()
    if not state.get("queue"):
        fail("Switchboard is not running here. Start it with `switchboard up`, or give a queue with --queue-url.")
    return QueueDeadLetters(aws.client("sqs", region, state["aws"]), state["queue"])


def _handle_queue(letters: QueueDeadLetters, action: Action, ids: set[str], as_json: bool) -> None:
    try:
        messages = list(letters.messages())
        chosen = messages if not ids else [message for message in messages if message.id in ids]
        for message in messages:
            if action is Action.REDRIVE and message in chosen:
                letters.redrive(message)
            else:
                letters.put_back(message)
        _print_messages(chosen if action is Action.REDRIVE else messages, ids, as_json)
    except (BotoCoreError, ClientError) as error:
        fail(str(error))


def _print_messages(messages: Sequence[Message], ids: set[str], as_json: bool) -> None:
    for message in messages:
        _show({"id": message.id, "body": message.body}, f"{message.id}  {message.body}", as_json)
    if not messages and not as_json:
        console.print("The queue has no dead letters.")
    if missing := ids - {message.id for message in messages}:
        fail(f"Not among the queue's dead letters: {', '.join(sorted(missing))}.")
