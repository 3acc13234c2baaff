"""Where the commands find Switchboard: as told by options or the environment, else the local run's own state."""

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
    """What was told wins; a foreign address needs its own token, and never gets the local run's."""
    if api:
        if not token:
            fail("An --api needs its --token (or SWITCHBOARD_TOKEN).")
        return _checked(Address(api, websocket, token))
    state = Home.current().read_state()
    if not state.get("api"):
        fail("No Switchboard runs here. Start one with `switchboard up`, or name one with --api and --token.")
    return _checked(Address(state["api"], websocket or state.get("websocket"), token or state["token"]))


def _checked(told: Address) -> Address:
    """What nobody can ever connect with is refused at once: trying again would not help."""
    token = told.token.strip()
    if not (token.isascii() and token.isprintable()):
        fail("The token has characters that no token has. Mint one with `switchboard token --role …`.")
    if not _is_address(told.api, {"http", "https"}):
        fail(f"--api {told.api} is no address such as https://example.org/live.")
    if told.websocket and not _is_address(told.websocket, {"ws", "wss"}):
        fail(f"--websocket {told.websocket} is no address such as wss://example.org/live.")
    return Address(told.api, told.websocket, token)


def _is_address(text: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0  # of a port, it raises as well
    except ValueError:
        return False


def database(url: str | None) -> str:
    """What was told, else the local run's."""
    found = url or Home.current().read_state().get("database")
    if not found:
        fail("No Switchboard runs here. Name a database with --database-url.")
    return found


def fail(message: str) -> NoReturn:
    """Say what is wrong, and end the command."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def run(work: Coroutine[Any, Any, int]) -> None:
    """Run a command's work to its exit code. What Switchboard refuses, or its silence, is told in words."""
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
