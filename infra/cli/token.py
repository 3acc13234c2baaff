"""token: mint tokens, and rotate the key that signs them."""

import re
import secrets
from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import httpx
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from infra.cli.address import errors, fail
from infra.home import Home
from infra.operation.keys import KeyHolder, holder
from shared.adapters.auth import tokens

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
KEY_BYTES = 48
QUEUES_TIMEOUT_SECONDS = 2.0

console = Console(highlight=False, soft_wrap=True)


class Role(StrEnum):
    SENDER = "sender"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Action(StrEnum):
    MINT = "mint"
    ROTATE = "rotate"


KeyName = Annotated[
    str | None,
    typer.Option(
        envvar="TOKEN_KEY_NAME", help="A secret's name or ARN, or /a/parameter of SSM  [default: the local run's key]"
    ),
]


def token(
    action: Annotated[Action, typer.Argument(help="mint or rotate")] = Action.MINT,
    role: Annotated[Role | None, typer.Option(help="The role: sender, supervisor or admin")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="A queue, repeatable  [default: every queue]")] = None,
    expires: Annotated[str, typer.Option(help="Lifetime, such as 30m, 12h or 90d")] = "12h",
    drop_others: Annotated[
        bool, typer.Option("--drop-others", help="With rotate: refuse all older tokens, because a key has leaked")
    ] = False,
    key_name: KeyName = None,
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    endpoint_url: Annotated[str | None, typer.Option(envvar="AWS_ENDPOINT_URL")] = None,
) -> None:
    """Mint a token, or rotate the key. After a rotation, tokens of the previous key stay valid."""
    try:
        keys = holder(key_name, region, endpoint_url)
        if action is Action.ROTATE:
            console.print(_rotate(keys, drop_others))
        elif role is None:
            fail("Give --role: sender, supervisor or admin.")
        else:
            queues = tuple(queue or ["*"])
            minted = tokens.mint(keys.read(), role=role.value, queues=queues, ttl_seconds=_seconds(expires))
            typer.echo(minted)
            if not key_name and (unknown := unknown_here(queue or ())):
                # To stderr, because scripts read the token from stdout. A token can be older than its queue.
                errors.print(f"The local run has no queue {', '.join(unknown)} yet.", style="yellow", markup=False)
    except (BotoCoreError, ClientError, tokens.WeakKeyError, LookupError) as error:
        fail(str(error))


def unknown_here(queues: Collection[str]) -> list[str]:
    """The queues that the local run does not have. Empty if there is no local run or it does not answer."""
    state = Home.current().read_state()
    if not queues or not state.get("ready"):
        return []
    bearer = {"Authorization": f"Bearer {state['token']}"}
    try:
        answer = httpx.get(
            f"{state['api']}/api/queues", headers=bearer, timeout=QUEUES_TIMEOUT_SECONDS, trust_env=False
        )
        known = {there["id"] for there in answer.raise_for_status().json()["data"]}
    except (httpx.HTTPError, ValueError):
        return []
    return [name for name in queues if name not in known | {"*"}]


def rotated(keys: str, new: str, drop_others: bool = False) -> str:
    """The keys with a new one first, and the one that signed until now."""
    return "\n".join([new] if drop_others else [new, *list(tokens.parse_keys(keys).values())[:1]])


def _rotate(keys: KeyHolder, drop_others: bool) -> str:
    keys.write(rotated(keys.read(), secrets.token_urlsafe(KEY_BYTES), drop_others))
    if drop_others:
        return "A new key signs. Tokens of older keys are refused within five minutes. Mint new tokens."
    return "A new key signs. Tokens of the previous key stay valid. Rotate again when the last of them has expired."


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if not match or not int(match[1]):
        fail(f"{text} is not a duration such as 30m, 12h or 90d.")
    return timedelta(**{UNITS[match[2]]: int(match[1])}).total_seconds()
