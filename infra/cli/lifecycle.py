"""up, down: start and stop the local cloud."""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Annotated

import typer
from rich.markup import escape

from infra.cli.status import console, errors, show
from infra.home import Home
from infra.local import cloud, logs
from infra.local.cloud import LocalCloud
from infra.local.watch import stop_on_signals, watch
from infra.machine import processes
from infra.machine.rotation import open_private

STOP_SECONDS = 30


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when everything is ready; it keeps running")
    ] = False,
    with_dashboard: Annotated[
        bool, typer.Option("--dashboard/--no-dashboard", help="Build and serve the dashboard")
    ] = True,
) -> None:
    """Start the local cloud: Postgres, Redis, MiniStack, the functions and the dashboard."""
    home = Home.current()
    if not bring_up(home, with_dashboard, detach):
        console.print("Switchboard is already running. `switchboard down` stops it.\n")
        detach = True
    show(home)
    if not detach:
        stay(home)


def bring_up(home: Home, with_dashboard: bool, detach: bool) -> bool:
    """Start the local cloud unless it runs. Returns whether it was started."""
    try:
        home.create()
    except cloud.FAILURES as error:
        errors.print(f"[red]Switchboard did not start.[/] {escape(str(error))}")
        raise typer.Exit(1) from None
    with cloud.only_one(home):
        if cloud.owner(home) and home.read_state().get("ready"):
            return False
        if detach:
            start_keeper(with_dashboard)
        else:
            start(home, with_dashboard)
        return True


def down() -> None:
    """Stop the local cloud. Its data stays for the next `up`."""
    home = Home.current()
    keeper = cloud.owner(home)
    if keeper:
        processes.stop([keeper], STOP_SECONDS)  # stops the rest as it ends
    stopped = cloud.stop(home)
    console.print("Stopped." if keeper or stopped else "Nothing was running.")


def start(home: Home, with_dashboard: bool) -> None:
    """Start the local cloud. On failure stop everything, print the reason and exit."""
    interrupt_on_signals()
    began = time.monotonic()
    try:
        LocalCloud(home, report, with_dashboard).start()
    except KeyboardInterrupt:
        cloud.stop(home)
        errors.print("Interrupted. Everything is stopped.")
        raise typer.Exit(130) from None
    except cloud.FAILURES as error:
        cloud.stop(home)
        errors.print(f"[red]Switchboard did not start.[/] {escape(str(error))}")
        raise typer.Exit(1) from None
    console.print(f"[bold green]Ready[/] in {time.monotonic() - began:.1f} s\n")


def interrupt_on_signals() -> None:
    """Handle these signals like Ctrl-C, so that an interrupted start stops what it started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def report(text: str, seconds: float) -> None:
    console.print(f"[green]✓[/] {text} [dim]{seconds:.1f} s")


def start_keeper(with_dashboard: bool) -> None:
    """Start everything in a background process. The servers are its children, so it notices when one ends."""
    interrupt_on_signals()
    reader, writer = os.pipe()
    page = "--dashboard" if with_dashboard else "--no-dashboard"
    # -P: import this checkout's `infra`, not one in the working folder.
    command = [sys.executable, "-P", "-m", "infra.cli", "keep", page, str(writer)]
    keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[writer])
    os.close(writer)
    try:
        with os.fdopen(reader) as ready:
            if not ready.read():  # it ended, and printed the reason
                raise typer.Exit(keeper.wait())
    except KeyboardInterrupt:
        keeper.terminate()
        raise typer.Exit(keeper.wait()) from None


def keep(
    ready: Annotated[int, typer.Argument(help="File descriptor that gets a message when everything runs")],
    with_dashboard: Annotated[bool, typer.Option("--dashboard/--no-dashboard")] = True,
) -> None:
    """The background process of `up --detach`. A signal stops everything."""
    home = Home.current()
    start(home, with_dashboard)
    stopping = stop_on_signals()
    try:
        with os.fdopen(ready, "w") as starter, open_private(home.logs / "watch.log") as log:
            for ours in (sys.stdout, sys.stderr):
                os.dup2(log.fileno(), ours.fileno())  # the starting process reads no further
            starter.write("ready")
        watch(home, stopping, lambda text: print(text, flush=True))  # noqa: T201 - into watch.log
    finally:
        cloud.stop(home)


def stay(home: Home) -> None:
    """Print the functions' logs and keep everything running until Ctrl-C."""
    stopping = stop_on_signals()
    console.print("[dim]Following the functions' logs. Ctrl-C stops everything.\n")
    threading.Thread(target=print_logs, args=(home, stopping), daemon=True).start()
    try:
        watch(home, stopping, lambda text: console.print(f"[yellow]{escape(text)}"))
    finally:
        console.print("\nStopping …")
        cloud.stop(home)
        console.print("Stopped. The data is in " + str(home.postgres))


def print_logs(home: Home, stopping: threading.Event) -> None:
    for line in logs.follow(home.function_log, stopping):
        console.print(logs.render(line))
