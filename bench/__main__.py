"""`make bench`: measure everything and print one table."""

from rich.console import Console
from rich.table import Table

from bench import imports, ingest, live, page, routing, timers
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
    with console.status("POST to socket …"):
        figures += live.measure()
    with console.status("The page …"):
        figures += page.measure()
    console.print(_table(figures))


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Switchboard beside this machine's ceilings, one run", title_justify="left")
    for heading in ("measured", "figure", "ceiling", "ratio", "the ceiling is"):
        table.add_column(heading, justify="left" if heading in ("measured", "the ceiling is") else "right")
    for figure in figures:
        ceiling = f"{figure.ceiling:,.0f} {figure.unit}" if figure.ceiling else "—"
        ratio = f"{figure.ratio:.2f}" if figure.ratio else "—"
        table.add_row(
            figure.name, f"{figure.value:,.0f} {figure.unit}", ceiling, ratio, figure.ceiling_name or figure.note
        )
    return table


if __name__ == "__main__":
    main()
