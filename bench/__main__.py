"""`make bench`: measure everything and print one table."""

from rich.console import Console
from rich.table import Table

from bench import feed, imports, ingest, live, page, reads, routing, timers
from bench.stage import Figure, stage

console = Console()


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


def table(figures: list[Figure]) -> Table:
    shown = Table(title="Switchboard beside this machine's ceilings, one run", title_justify="left")
    for heading in ("measured", "figure", "ceiling", "ratio", "the ceiling is"):
        shown.add_column(heading, justify="left" if heading in ("measured", "the ceiling is") else "right")
    for figure in figures:
        ceiling = f"{_shown(figure.ceiling)} {figure.unit}" if figure.ceiling else "—"
        ratio = f"{figure.ratio:.2f}" if figure.ratio else "—"
        shown.add_row(
            figure.name, f"{_shown(figure.value)} {figure.unit}", ceiling, ratio, figure.ceiling_name or figure.note
        )
    return shown


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


if __name__ == "__main__":
    main()
