"""Figures as a table, each beside its ceiling."""

import sys
from platform import python_version

from rich.console import Console
from rich.table import Table

from bench.stage import Figure

console = Console(file=sys.stdout)  # the terminal's own: a stage takes the name for what nobody reads


def brief(figure: Figure) -> str:
    ratio = f", {figure.ratio:.2f} of {_shown(figure.ceiling or 0)}" if figure.ratio else ""
    return f"{figure.name}: {_shown(figure.value)} {figure.unit}{ratio}"


def table(figures: list[Figure]) -> Table:
    title = f"Switchboard beside this machine's ceilings, one run on Python {python_version()}"
    shown = Table(title=title, title_justify="left")
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
