"""Other months of the call log: written in each format of its months, replayed, and their figures computed again.

What must come out is counted here from the callers that the month was made of, not from the file and not by its reader.
"""

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from infra.cli import replay
from infra.client import Api as Client
from infra.simulator.call_log import day_in
from infra.simulator.playback import Playback
from infra.simulator.tally import survey
from shared import wiring
from shared.adapters.postgres.figures.read_figures import PostgresFigures
from shared.usecases.access import Principal
from shared.usecases.reading.figures import show_metrics
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.rest import Api

NARROW = [
    "vru+line", "call_id", "type", "vru_entry", "vru_exit", "vru_time", "q_start", "q_exit", "q_time", "outcome",
    "ser_start", "ser_exit", "ser_time", "server",
]  # fmt: skip
WIDE = [*NARROW[:2], "customer_id", "priority", "type", "date", *NARROW[3:]]
NONE = "0:00:00"
ADMIN = Principal("admin", frozenset("*"), 0)
FIRST = datetime(1999, 10, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Caller:
    """The true data. A caller without a wait and without an agent left at the menu; a phantom is no caller."""

    entered: datetime
    menu: int
    wait: int
    talk: int
    queue: str
    agent: str | None
    phantom: bool = False
    clocks_disagree: bool = False

    @property
    def counts(self) -> bool:
        return not self.phantom and (self.agent is not None or self.wait > 0)

    @property
    def begun(self) -> datetime:
        return self.entered if self.clocks_disagree else self.entered + timedelta(seconds=self.menu)


def callers(seed: int, days: int) -> list[Caller]:
    """A month's, among them some at each midnight, and every oddity of the log several times."""
    chance, found = random.Random(seed), []
    for day in range(days):
        opens = FIRST + timedelta(days=day)
        moments = [chance.randrange(7 * 3600, 86_400) for _ in range(12)] + [86_400 - chance.randrange(1, 40)] * 3
        for moment in moments:
            agent = chance.choice(["AVI", "MORIAH", "SHARON", "NO_SERVER", None])
            waited = chance.random() < 0.7
            found.append(
                Caller(
                    entered=opens + timedelta(seconds=moment),
                    menu=chance.randrange(3, 60),
                    wait=chance.choice([29, 30, 31, chance.randrange(1, 400)]) if waited else 0,
                    talk=chance.choice([0, 9, 10, 11, chance.randrange(600)]) if agent else 0,
                    queue=chance.choice(["PS", "PE", "IN", "NE", "NW", "TT"]),
                    agent=agent,
                    phantom=chance.random() < 0.03,
                    clocks_disagree=not waited and agent is not None and chance.random() < 0.1,
                )
            )
    return found


def clock(moment: datetime, *, beyond: datetime | None = None) -> str:
    """As the log writes a time of day; counted from `beyond`'s midnight if given."""
    hours = moment.hour + (24 if beyond and moment.date() > beyond.date() else 0)
    return f"{hours}:{moment:%M:%S}"


def row(number: int, caller: Caller, *, long_days: bool) -> dict[str, str]:
    """One of the log's rows. Its columns follow from the caller's data, as the log's documentation states."""

    def clock_time(moment: datetime) -> str:
        return clock(moment, beyond=caller.entered if long_days else None)

    begun = caller.begun
    left_queue = begun + timedelta(seconds=caller.wait)
    left = left_queue + timedelta(seconds=caller.talk)
    exit_menu = caller.entered - timedelta(seconds=2) if caller.clocks_disagree else begun
    queued = (clock_time(begun), clock_time(left_queue)) if caller.wait else (NONE, NONE)
    served = (clock_time(left_queue), clock_time(left)) if caller.agent else (NONE, NONE)
    # Its makers took one time of day from another: where midnight came between, some of their spans are negative.
    has_negative_times = number % 2 == 0 and not long_days
    return {
        "vru+line": f"AA0{number % 6 + 1}{number % 16 + 1:02}",
        "call_id": f"{33_000 + number % 97}",
        "customer_id": "" if number % 3 else "027997683000",
        "priority": str(number % 3),
        "type": caller.queue,
        "date": f"{caller.entered:%y%m%d}",
        "vru_entry": clock(caller.entered),
        "vru_exit": clock_time(exit_menu),
        "vru_time": str(int((exit_menu - caller.entered).total_seconds())),
        "q_start": queued[0],
        "q_exit": queued[1],
        "q_time": str(
            caller.wait - 86_400 * (has_negative_times and begun.date() < left_queue.date() and caller.wait > 0)
        ),
        "outcome": "PHANTOM" if caller.phantom else "AGENT" if caller.agent else "HANG",
        "ser_start": served[0],
        "ser_exit": served[1],
        "ser_time": str(caller.talk - 86_400 * (has_negative_times and left_queue.date() < left.date())),
        "server": caller.agent or "NO_SERVER",
    }


@dataclass(frozen=True)
class Written:
    """How a month is written down."""

    columns: Sequence[str] = tuple(WIDE)
    separator: str = "\t"
    ends: str = "\n"
    header: bool = True
    long_days: bool = False
    days: int = 31
    more: str = ""  # after the last row

    def file(self, folder: Path, everybody: Iterable[Caller]) -> Path:
        rows = [row(number, caller, long_days=self.long_days) for number, caller in enumerate(everybody)]
        lines = [[cells.get(column.replace(".", "+"), "x") for column in self.columns] for cells in rows]
        lines_of_text = [self.separator.join(cells) for cells in ([list(self.columns)] if self.header else []) + lines]
        file = folder / f"log-{FIRST:%Y-%m-%d}.txt"
        file.write_bytes((self.ends.join(lines_of_text) + self.ends + self.more).encode())
        return file


MIXED = ["server", "note", *reversed(WIDE[:-1]), "startdate"]
AS_R = [name.replace("+", ".") for name in WIDE]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(Written(), id="tabs"),
        pytest.param(Written(header=False, ends="\r\n", more="\r\n"), id="no header, CRLF, a blank line behind"),
        pytest.param(Written(columns=MIXED, separator=",", long_days=True), id="another order, more columns, 24:00:05"),
        pytest.param(Written(columns=AS_R, separator=";", ends="\r\n", more=" ; \r\n"), id="semicolons"),
        pytest.param(Written(columns=NARROW, separator=",", days=1), id="one day without a date"),
    ],
)
def test_any_month_gives_the_figures_of_its_callers(api: Api, tmp_path: Path, written: Written) -> None:
    everybody = callers(seed=len(written.columns), days=written.days)
    counted = [caller for caller in everybody if caller.counts]
    log = replay.Log(file := written.file(tmp_path, everybody), day_in(f"log-{FIRST:%Y-%m-%d}"))
    found = survey(log.entries())
    assert (found.unreadable, found.reasons) == (0, [])
    assert (found.figures.calls, found.no_calls) == (len(counted), len(everybody) - len(counted))

    asyncio.run(_replayed(api, file, expected=len(counted)))
    asyncio.run(_replayed(api, file, expected=len(counted)))  # changes nothing
    _figures_are_those_of(counted)
    while archive_calls(wiring.ingest_services().transactions, datetime.now(UTC) + 2 * ARCHIVE_AFTER):
        pass
    _figures_are_those_of(counted)


async def _replayed(api: Api, file: Path, expected: int) -> None:
    log = replay.Log(file, day_in(file.name))
    async with Client(
        "http://floor", "t", transport=httpx.MockTransport(lambda asked: _answered(api, asked))
    ) as client:
        await replay._create_queues(client, survey(log.entries()))
        playback = Playback(client, lambda: None)
        await playback.play(log.calls())
    assert (playback.played.refused, playback.played.figures.calls) == (0, expected)
    assert playback.played.figures == survey(log.entries()).figures


def _answered(api: Api, asked: httpx.Request) -> httpx.Response:
    queue = re.fullmatch(r"/api/queues/(.+)", asked.url.path)
    body, query = asked.content.decode() or "null", dict(asked.url.params) or None
    if queue:
        answer = api.raw(asked.method, "/api/queues/{queue_id}", body, query=query, queue_id=queue[1])
    else:
        answer = api.raw(asked.method, asked.url.path, body, query=query)
    return httpx.Response(answer["statusCode"], text=answer["body"])


def _figures_are_those_of(counted: list[Caller]) -> None:
    """By every key and every day, from the rollups and from the calls alike."""
    ways: dict[str, dict[str, str]] = {
        "all": {}, "queue": {"groupBy": "queue"}, "agent": {"groupBy": "agent"}, "day": {"bucket": "1d"},
        "5m": {"bucket": "5m", "to": "1999-10-03T00:00:00Z"},
    }  # fmt: skip
    for rolled in (True, False):
        for way, asked in ways.items():
            span = {"from": "1999-10-01T00:00:00Z", "to": "1999-11-02T00:00:00Z"} | asked
            figures = PostgresFigures(wiring.reading_database(), rolled=rolled)
            answer = show_metrics(figures, ADMIN, span, datetime.now(UTC))
            counts = {
                _key(way, shown["queueId"], shown["agentId"], shown["start"]): _figures_of(shown)
                for shown in answer["data"]
            }
            assert counts == _expected(way, counted, before=span["to"]), (rolled, way)


def _key(way: str, queue: str | None, agent: str | None, start: str) -> str:
    return {"all": "all", "queue": queue, "agent": agent}.get(way, start[:16]) or "-"


def _figures_of(shown: dict[str, Any]) -> dict[str, Any]:
    names = ("offered", "answered", "answeredInTime", "abandoned", "shortAbandons", "slaBreached", "shortCalls")
    figures = {name: shown[name] for name in names}
    return figures | {"asa": shown["asa"], "aht": shown["handleTime"]["aht"], "longestWait": shown["longestWait"]}


def _expected(way: str, counted: list[Caller], *, before: str) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Caller]] = defaultdict(list)
    for caller in counted:
        begun = caller.begun
        if way == "day":
            begun = begun.replace(hour=0, minute=0, second=0)
        if way == "5m":
            begun = begun.replace(minute=begun.minute // 5 * 5, second=0)
        if f"{caller.begun:%Y-%m-%dT%H:%M:%SZ}" < before:
            groups[_key(way, caller.queue, caller.agent, f"{begun:%Y-%m-%dT%H:%M}")].append(caller)
    return {key: _sums(group) for key, group in groups.items()}


def _sums(group: list[Caller]) -> dict[str, Any]:
    served = [caller for caller in group if caller.agent]
    gave_up = [caller for caller in group if not caller.agent]
    return {
        "offered": len(group),
        "answered": len(served),
        "answeredInTime": sum(caller.wait <= 30 for caller in served),
        "abandoned": len(gave_up),
        "shortAbandons": sum(caller.wait <= 30 for caller in gave_up),
        "slaBreached": sum(caller.wait > 30 for caller in group),
        "shortCalls": sum(caller.talk < 10 for caller in served),
        "asa": _mean([caller.wait for caller in served]),
        "aht": _mean([caller.talk for caller in served]),
        "longestWait": max(caller.wait for caller in group),
    }


def _mean(seconds: list[int]) -> Any:
    return pytest.approx(sum(seconds) / len(seconds), rel=1e-12) if seconds else None


def test_an_unreadable_row_names_file_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    everybody = [caller for caller in callers(seed=1, days=1) if caller.agent and caller.wait and not caller.phantom][
        :4
    ]
    file = Written(more="AA0101\t1\t0\t0\tPS\t991001\t9:00:00\t9:00:09\n").file(tmp_path, everybody)
    lines = file.read_text().splitlines()
    for line, column, text in ((1, "q_time", "soon"), (2, "date", "99-13-01"), (3, "ser_time", "")):
        cells = lines[line].split("\t")
        cells[WIDE.index(column)] = text
        lines[line] = "\t".join(cells)
    file.write_text("\n".join(lines))
    replay._print_contents(file, survey(replay.Log(file, None).entries()))
    output = " ".join(capsys.readouterr().out.split())
    for line, problem in (
        (2, "q_time 'soon' is no number of seconds"),
        (3, "date '99-13-01' is no date (yymmdd)"),
        (4, "ser_time '' is no number of seconds"),
        (6, "outcome is missing: the row is cut off"),
    ):
        assert f"line {line}, cannot be read: {problem}." in output
    assert file.name in output
    assert "4 rows are skipped." in output


def test_a_log_of_which_nothing_can_be_read_says_why(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    caller = next(caller for caller in callers(seed=1, days=1) if caller.counts)
    file = Written().file(tmp_path, [caller])
    file.write_text(file.read_text().replace("991001", "1 October"))
    with pytest.raises(typer.Exit):
        replay._print_contents(file, survey(replay.Log(file, None).entries()))
    captured = capsys.readouterr()
    assert "line 2, cannot be read: date '1 October' is no date (yymmdd)." in " ".join(captured.out.split())
    assert "contains no readable call." in " ".join(captured.err.split())


def test_joined_files_and_equal_ids_are_counted_row_by_row(tmp_path: Path) -> None:
    everybody = callers(seed=3, days=2)
    file = Written().file(tmp_path, everybody)
    file.write_text(file.read_text() * 2)
    calls = list(replay.Log(file, None).calls())
    assert len(calls) == len({call.call_id for call in calls}) == 2 * sum(caller.counts for caller in everybody)
