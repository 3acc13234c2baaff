"""The addresses that commands use: from options, from the environment, or of the local run."""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console

from infra.client import Problem, Unreachable
from infra.home import Home

LOCAL = "the local run's"

ApiOption = Annotated[
    str | None,
    typer.Option("--api", envvar="SWITCHBOARD_API", help="Prefix of /api/…", show_default=LOCAL),
]
WebsocketOption = Annotated[
    str | None,
    typer.Option("--websocket", envvar="SWITCHBOARD_WEBSOCKET", help="WebSocket address", show_default=LOCAL),
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="SWITCHBOARD_TOKEN", help="Bearer token", show_default=LOCAL),
]

DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", envvar="DATABASE_URL", help="postgresql://…", show_default=LOCAL),
]

errors = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Address:
    api: str
    websocket: str | None
    token: str


def locate(api: str | None, token: str | None, websocket: str | None = None) -> Address:
    """The options, or the local run. An `api` from an option needs its own token: it never gets the local run's."""
    if api:
        if not token:
            fail("An --api needs its --token (or SWITCHBOARD_TOKEN).")
        return _checked(Address(api, websocket, token))
    state = Home.current().read_state()
    if not state.get("api"):
        fail("Switchboard is not running here. Start it with `switchboard up`, or give --api and --token.")
    return _checked(Address(state["api"], websocket or state.get("websocket"), token or state["token"]))


def _checked(address: Address) -> Address:
    """Exit if the address or the token can never work, because repeating the request would not help."""
    token = address.token.strip()
    if not (token.isascii() and token.isprintable()):
        fail("The token has invalid characters. Mint one with `switchboard token --role …`.")
    if not _is_address(address.api, {"http", "https"}):
        fail(f"--api {address.api} is not an address such as https://example.org/live.")
    if address.websocket and not _is_address(address.websocket, {"ws", "wss"}):
        fail(f"--websocket {address.websocket} is not an address such as wss://example.org/live.")
    return Address(address.api, address.websocket, token)


def _is_address(text: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0  # an invalid port raises too
    except ValueError:
        return False


def database(url: str | None) -> str:
    """The database of the option, or of the local run."""
    url = url or Home.current().read_state().get("database")
    if not url:
        fail("Switchboard is not running here. Give a database with --database-url.")

    return url


def fail(message: str) -> NoReturn:
    """Print the message in red and exit with code 1."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def run(work: Coroutine[Any, Any, int]) -> None:
    """Run a command and exit with its code. Problems and outages are printed without a traceback."""
    try:
        code = asyncio.run(work)
    except (Problem, Unreachable) as error:
        fail(str(error))
    except BaseExceptionGroup as group:
        known, unknown = group.split((Problem, Unreachable))
        if known is None or unknown is not None:
            raise
        fail(str(_first(known)))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    else:
        raise typer.Exit(code)


def _first(group: BaseExceptionGroup) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
