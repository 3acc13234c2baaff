"""`switchboard simulate`: simulate callers and agents against a running Switchboard."""

import asyncio
import math
import signal
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.cli.address import Address, ApiOption, TokenOption, WebsocketOption, errors, fail, locate, run
from infra.client import Api, Feed
from infra.simulator.model import SimulatedCallCentre
from infra.simulator.people import Habits, Json, Phase
from infra.simulator.telephony import Telephony
from shared.adapters import clock

DEFAULTS = Habits()
# Long enough for most outages: events wait, and carry the time when they happened.
RETRY_SECONDS = 600.0
REFRESH_SECONDS = 0.25
RATE_SAMPLES = 40
# Some events are always under way. More than this many show that they wait for an outage to end.
MAX_UNDER_WAY = 10

console = Console()


def simulate(
    calls_per_minute: Annotated[
        float, typer.Option(min=0.1, max=6000, help="Calls a minute")
    ] = DEFAULTS.calls_per_minute,
    duration: Annotated[
        float | None, typer.Option(min=1, help="Duration in seconds", show_default="until Ctrl-C")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed: repeat the same calls")] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(help="QUEUE=WEIGHT, repeatable", show_default="equal weight for each queue with agents"),
    ] = None,
    service_log_mean: Annotated[
        float, typer.Option(help="Handling time: mean, in log-seconds")
    ] = DEFAULTS.service_log_mean,
    service_log_deviation: Annotated[
        float, typer.Option(min=0, help="Handling time: standard deviation, in log-seconds")
    ] = DEFAULTS.service_log_deviation,
    patience: Annotated[
        float, typer.Option(min=1, help="Mean time in seconds after which callers abandon")
    ] = DEFAULTS.patience_mean_seconds,
    miss_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of offers that are missed")
    ] = DEFAULTS.miss_share,
    hold_share: Annotated[float, typer.Option(min=0, max=1, help="Share of calls with a hold")] = DEFAULTS.hold_share,
    hold: Annotated[float, typer.Option(min=1, help="Mean hold in seconds")] = DEFAULTS.hold_mean_seconds,
    wrap_up: Annotated[float, typer.Option(min=0.1, help="Mean wrap-up in seconds")] = DEFAULTS.wrap_up_mean_seconds,
    away: Annotated[
        float, typer.Option(min=1, help="Mean time away in seconds, after a missed offer or on a break")
    ] = DEFAULTS.away_mean_seconds,
    leave_open: Annotated[bool, typer.Option("--leave-open", help="Do not end open calls at the end")] = False,
    api: ApiOption = None,
    websocket: WebsocketOption = None,
    token: TokenOption = None,
) -> None:
    """Simulate a call centre: callers wait, talk or abandon; interpreters answer, miss, hold and wrap up."""
    habits = Habits(
        calls_per_minute=calls_per_minute,
        service_log_mean=service_log_mean,
        service_log_deviation=service_log_deviation,
        patience_mean_seconds=patience,
        miss_share=miss_share,
        hold_share=hold_share,
        hold_mean_seconds=hold,
        wrap_up_mean_seconds=wrap_up,
        away_mean_seconds=away,
    )
    plan = Plan(habits, mixed(mix or []), duration, seed, leave_open)
    run(_simulate(locate(api, token, websocket), plan))


@dataclass(frozen=True, slots=True)
class Plan:
    habits: Habits
    weights: dict[str, float]
    duration_seconds: float | None
    seed: int | None
    leave_open: bool


def mixed(mix: list[str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in mix:
        queue_id, _, weight = part.partition("=")
        try:
            weights[queue_id] = float(weight or 1)
        except ValueError:
            weights[queue_id] = math.nan
        if not 0 < weights[queue_id] < math.inf:
            fail(f"--mix {part}: write QUEUE=WEIGHT, a weight above 0, such as medical_spanish=3.")
    return weights


async def _simulate(address: Address, plan: Plan) -> int:
    async with Api(address.api, address.token, retry_seconds=RETRY_SECONDS) as api:
        queues, agents = await asyncio.gather(api.queues(), api.agents())
        weights = plan.weights or served(queues, agents)
        _check(weights, queues)
        text = f"{plan.habits.calls_per_minute:g} calls a minute into {', '.join(weights)}. Ctrl-C ends it."
        console.print(text, highlight=False, soft_wrap=True)
        now = clock.now()
        call_centre = SimulatedCallCentre(
            Random(plan.seed), plan.habits, weights, agents, run=f"{now:%y%m%d%H%M%S}", now=now.timestamp()
        )
        telephony = Telephony(api, call_centre, _feed(api, address, queues), clock.now)
        await _play(telephony, call_centre, now.timestamp() + (plan.duration_seconds or float("inf")), plan.leave_open)
    _print_result(telephony, api)
    return 1 if telephony.sent.refused else 0


def served(queues: list[Json], agents: list[Json]) -> dict[str, float]:
    """Equal weights for the queues that have agents."""
    staffed = {queue_id for agent in agents for queue_id in agent["queues"]}
    return {queue["id"]: 1.0 for queue in queues if queue["id"] in staffed}


def _check(weights: dict[str, float], queues: list[Json]) -> None:
    if not weights:
        fail("No queue has agents. Add agents (PUT /api/agents/{id}), or give queues with --mix.")
    if unknown := set(weights) - {queue["id"] for queue in queues}:
        fail(f"There is no queue {', '.join(sorted(unknown))}. GET /api/queues lists the queues.")


def _feed(api: Api, address: Address, queues: list[Json]) -> Feed | None:
    if address.websocket is None:
        errors.print("No --websocket: simulated agents do not notice offers that Switchboard makes.", style="yellow")
        return None
    # A queue's topic includes its agents.
    return Feed(api, address.websocket, address.token, [f"queue:{queue['id']}" for queue in queues])


async def _play(telephony: Telephony, call_centre: SimulatedCallCentre, until: float, leave_open: bool) -> None:
    """Simulate until `until` or a signal, then end the open calls. A second Ctrl-C exits at once."""
    playing = asyncio.create_task(telephony.run(until))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, playing.cancel)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        showing = asyncio.create_task(_show(live, telephony, call_centre))
        try:
            with suppress(asyncio.CancelledError):
                await playing
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            await (telephony.settle() if leave_open else telephony.close())
        finally:
            showing.cancel()


async def _show(live: Live, telephony: Telephony, call_centre: SimulatedCallCentre) -> None:
    samples: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)
    while True:
        samples.append((time.monotonic(), telephony.sent.accepted))
        live.update(_status(telephony, call_centre, _rate(samples)), refresh=True)
        await asyncio.sleep(REFRESH_SECONDS)


def _rate(samples: deque[tuple[float, int]]) -> float:
    (began, first), (ended, last) = samples[0], samples[-1]
    return (last - first) / (ended - began) if ended > began else 0.0


def _status(telephony: Telephony, call_centre: SimulatedCallCentre, rate: float) -> Table:
    phases = Counter(line.phase for line in call_centre.lines.values())
    people = Counter(person.status for person in call_centre.interpreters.values())
    table = Table.grid(padding=(0, 3))
    table.add_row("calls", *(f"{phases[phase]} {phase}" for phase in Phase if phase is not Phase.OVER))
    table.add_row("agents", *(f"{count} {status}" for status, count in people.most_common(4)))
    sent = telephony.sent
    table.add_row(
        "events",
        f"{sent.accepted:,} sent",
        f"{rate:.1f}/s",
        f"p50 {sent.median_seconds * 1000:.0f} ms",
        f"[red]{sent.refused} problems[/]" if sent.refused else "no problems",
        f"[yellow]{telephony.waiting_to_send} to send[/]" if telephony.waiting_to_send > MAX_UNDER_WAY else "",
    )
    return table


def _print_result(telephony: Telephony, api: Api) -> None:
    sent = telephony.sent
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(sent.outcomes.items()))
    console.print(f"{sent.accepted:,} events sent: {outcomes or 'none'}; {sent.refused:,} problems.", highlight=False)
    console.print(f"p50 {sent.median_seconds * 1000:.1f} ms; {api.repeats:,} requests repeated.", highlight=False)
    for text, count in sent.problems.most_common():
        console.print(f"{count:,} times {text}", style="red", markup=False, highlight=False, soft_wrap=True)
