"""`switchboard replay`: import a call log."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from infra.cli.address import Address, ApiOption, TokenOption, fail, locate, run
from infra.client import Api
from infra.simulator.call_log import CallLogError, Entry, LoggedCall, day_in, read
from infra.simulator.playback import Playback, Played
from infra.simulator.tally import Figures, Survey, survey

# Queues of the log that Switchboard's tests replay. Another type becomes a queue with its own name.
QUEUES = {
    "PS": ("Regular", "he"),
    "PE": ("Regular, English", "en"),
    "IN": ("Internet", "he"),
    "NE": ("Stock exchange", "he"),
    "NW": ("New customer", "he"),
    "TT": ("Call back", "he"),
}
FIGURES = {
    "calls": "calls",
    "served": "served",
    "abandoned": "abandoned",
    "late": "answered after 30 s",
    "breached": "waited over 30 s (sla_breached)",
    "short": "served under 10 s (short_call)",
}

console = Console()


class Rate(TextColumn):
    """Events a second so far."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} calls/s" if task.speed else "", style="progress.data.speed")


def replay(
    file: Annotated[
        Path, typer.Argument(help="A call log: one row a call, tabs or commas", exists=True, dir_okay=False)
    ],
    date: Annotated[
        datetime | None,
        typer.Option(help="The log's day, if it has no date column", formats=["%Y-%m-%d"], show_default="in its name"),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Keep the log's pace, this many times as fast", show_default="at once"),
    ] = None,
    api: ApiOption = None,
    token: TokenOption = None,
) -> None:
    """Import a call log. Repeating the command records nothing twice."""
    address = locate(api, token)
    log = Log(file, date.date() if date else day_in(file.name))
    try:
        contents = survey(log.entries())
    except CallLogError as error:
        fail(f"{file}: {error}")
    _print_contents(file, contents)
    run(_replay(address, log, contents, speed))


class Log:
    """A call log on disk. Each pass reads the file again, so that a large file needs little memory."""

    def __init__(self, file: Path, day: date | None) -> None:
        self._file = file
        self._day = day

    def entries(self) -> Iterator[Entry]:
        with self._file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from read(lines, self._day)

    def calls(self) -> Iterator[LoggedCall]:
        return (entry for entry in self.entries() if isinstance(entry, LoggedCall))


async def _replay(address: Address, log: Log, contents: Survey, speed: float | None) -> int:
    async with Api(address.api, address.token, retry_seconds=120) as api:
        await _create_queues(api, contents)
        with _progress() as progress:
            task = progress.add_task("Recording", total=contents.figures.calls)
            playback = Playback(api, lambda: progress.update(task, completed=playback.played.ended))
            await (playback.play_paced(log.calls(), speed) if speed else playback.play(log.calls()))
    _print_result(contents.figures, playback.played)
    wrong = playback.played.refused or playback.played.outcomes["deferred"] or contents.unreadable
    return 1 if wrong or playback.played.figures != contents.figures else 0


async def _create_queues(api: Api, contents: Survey) -> None:
    present = {queue["id"] for queue in await api.queues()}
    for queue_id in sorted(set(contents.queues) - present):
        name, language = QUEUES.get(queue_id, (queue_id, None))
        await api.put_queue(queue_id, {"name": name, **({"language": language} if language else {})})
        console.print(f"Created queue {queue_id} ({name}).", highlight=False)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(""),
        TimeRemainingColumn(),
        console=console,
    )


def _print_contents(file: Path, contents: Survey) -> None:
    if contents.figures.calls:
        _print_calls(file, contents)
    for row in contents.reasons:
        console.print(
            f"{file}, line {row.line}, cannot be read: {row.reason}.", style="yellow", markup=False, highlight=False
        )
    if contents.unreadable:
        console.print(f"{contents.unreadable:,} rows are skipped.", style="yellow", highlight=False)
    if not contents.figures.calls:
        fail(f"{file} contains no " + ("readable call." if contents.unreadable else "call."))


def _print_calls(file: Path, contents: Survey) -> None:
    span = f"{contents.first_at:%Y-%m-%d %H:%M} to {contents.last_at:%Y-%m-%d %H:%M}"
    queues = ", ".join(f"{queue_id} {count:,}" for queue_id, count in contents.queues.most_common())
    text = f"{file.name}: {contents.figures.calls:,} calls, {span} UTC ({queues}); {contents.no_calls:,} other rows."
    console.print(text, highlight=False, soft_wrap=True)


def _print_result(expected: Figures, played: Played) -> None:
    table = Table("", "in the file", "on record")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, title in FIGURES.items():
        in_file, on_record = getattr(expected, name), getattr(played.figures, name)
        table.add_row(title, f"{in_file:,}", f"{on_record:,}", style=None if in_file == on_record else "red")
    console.print(table)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in played.outcomes.most_common())
    console.print(
        f"{played.events:,} events: {outcomes or 'none recorded'}, {played.refused:,} problems.", highlight=False
    )
    for problem in played.problems:
        console.print(str(problem), style="red", markup=False, highlight=False, soft_wrap=True)
    if expected != played.figures and not played.refused:
        console.print(
            "Red lines differ: the queue has other limits, or a call of another log has the same id.", style="red"
        )
