"""`switchboard dead-letters`: what was given up, and another attempt for it."""

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
A_REQUEST = 500  # ids that one redrive may name
PATH = "/api/dead-letters"
NONE = "There are no dead letters."

console = Console(highlight=False, soft_wrap=True)


class Action(StrEnum):
    LIST = "list"
    REDRIVE = "redrive"


def dead_letters(
    action: Annotated[Action, typer.Argument(help="list or redrive")] = Action.LIST,
    ids: Annotated[list[str] | None, typer.Argument(help="Which to redrive")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Redrive all that there are now")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="The messages that SQS gave up, instead of events")] = False,
    queue_url: Annotated[str | None, typer.Option(help="The event queue's URL  [default: the local run's]")] = None,
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    api: ApiOption = None,
    token: TokenOption = None,
) -> None:
    """List what was given up with its reason, or give it another attempt. Exits with 1 where that failed."""
    if action is Action.REDRIVE and bool(ids) == everything:
        fail("Say which to redrive: their ids, or --all.")
    if queue or queue_url:
        _queue(_letters_of_queue(queue_url, region), action, set(ids or ()), as_json)
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
    while batch := list(islice(rest, A_REQUEST)):
        yield batch


def _line(letter: Json) -> str:
    where = letter["queueId"] or "no queue known"
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


def _letters_of_queue(queue_url: str | None, region: str) -> QueueDeadLetters:
    if queue_url:
        return QueueDeadLetters(aws.client("sqs", region), queue_url)
    state = Home.current().read_state()
    if not state.get("queue"):
        fail("No Switchboard runs here. Start one with `switchboard up`, or name a queue with --queue-url.")
    return QueueDeadLetters(aws.client("sqs", region, state["aws"]), state["queue"])


def _queue(letters: QueueDeadLetters, action: Action, ids: set[str], as_json: bool) -> None:
    try:
        found = list(letters.messages())
        chosen = found if not ids else [message for message in found if message.id in ids]
        for message in found:
            if action is Action.REDRIVE and message in chosen:
                letters.redrive(message)
            else:
                letters.put_back(message)
        _tell(chosen if action is Action.REDRIVE else found, ids, as_json)
    except (BotoCoreError, ClientError) as error:
        fail(str(error))


def _tell(messages: Sequence[Message], ids: set[str], as_json: bool) -> None:
    for message in messages:
        _show({"id": message.id, "body": message.body}, f"{message.id}  {message.body}", as_json)
    if not messages and not as_json:
        console.print("The queue has no dead letters.")
    if missing := ids - {message.id for message in messages}:
        fail(f"Not among the queue's dead letters: {', '.join(sorted(missing))}.")
