"""`make bench`: measure everything and print one table."""

from bench import feed, imports, ingest, live, page, reads, routing, timers
from bench.report import console, table
from bench.stage import Figure, stage


def main() -> None:
    figures: list[Figure] = []
    with console.status("Import times …"):
        figures += imports.measure()
    with stage() as ground, console.status("Ingest …"):
        figures += ingest.measure(ground)
    with stage() as ground, console.status("Timers …"):
        figures += timers.measure(ground)
    with stage() as ground, console.status("Routing …"):
        figures += routing.measure(ground)
    with stage(settings=reads.SETTINGS) as ground, console.status(f"Reads of {reads.CALLS:,} calls …"):
        figures += reads.measure(ground)
    with stage() as ground, console.status("Feed …"):
        figures += feed.measure(ground)
    with console.status("POST to socket …"):
        figures += live.measure()
    with console.status("The page …"):
        figures += page.measure()
    console.print(table(figures))


if __name__ == "__main__":
    main()
