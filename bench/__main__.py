"""`make bench`: measure everything, say each figure as it comes, and print one table."""

from collections.abc import Callable, Iterator, Mapping

from bench import feed, imports, ingest, live, page, reads, routing, timers
from bench.report import brief, console, table
from bench.stage import Figure, Stage, stage

Measure = Callable[[], Iterator[Figure]]


def main() -> None:
    figures = [
        *_told("Import times …", imports.measure),
        *_told("Ingest …", _staged(ingest.measure)),
        *_told("Timers …", _staged(timers.measure)),
        *_told("Routing …", _staged(routing.measure)),
        *_told(f"Reads of {reads.CALLS:,} calls …", _staged(reads.measure, reads.SETTINGS)),
        *_told("Feed …", _staged(feed.measure)),
        *_told("POST to socket …", live.measure),
        *_told("The page …", page.measure),
    ]
    console.print(table(figures))


def _told(what: str, measure: Measure) -> Iterator[Figure]:
    """The spinner takes over what its process writes, and a stage within lets nothing of that come to it."""
    with console.status(what):
        for figure in measure():
            console.print(brief(figure), highlight=False)
            yield figure


def _staged(measure: Callable[[Stage], Iterator[Figure]], settings: Mapping[str, str] | None = None) -> Measure:
    def measuring() -> Iterator[Figure]:
        with stage(settings=settings) as ground:
            yield from measure(ground)

    return measuring


if __name__ == "__main__":
    main()
