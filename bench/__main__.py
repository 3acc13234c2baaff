"""`make bench`: measure everything and print one table."""

from bench import feed, imports, ingest, live, page, reads, routing, timers
from bench.report import console, table
from bench.stage import Figure, stage


def main() -> None:
    # The spinner first: it takes over what its process writes, and a stage lets nothing of that come to it.
    figures: list[Figure] = []
    with console.status("Import times …"):
        figures += imports.measure()
    with console.status("Ingest …"), stage() as ground:
        figures += ingest.measure(ground)
    with console.status("Timers …"), stage() as ground:
        figures += timers.measure(ground)
    with console.status("Routing …"), stage() as ground:
        figures += routing.measure(ground)
    with console.status(f"Reads of {reads.CALLS:,} calls …"), stage(settings=reads.SETTINGS) as ground:
        figures += reads.measure(ground)
    with console.status("Feed …"), stage() as ground:
        figures += feed.measure(ground)
    with console.status("POST to socket …"):
        figures += live.measure()
    with console.status("The page …"):
        figures += page.measure()
    console.print(table(figures))


if __name__ == "__main__":
    main()
