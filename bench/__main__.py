"""`make bench`: measure everything, print each value as it comes, then one table.

`python -m bench ingest timers` measures only these.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping

from bench import feed, ingest, lambda_costs, optimisations, page, reads, timers
from bench.harness import Figure, Servers, console, servers, show, table

Measure = Callable[[], Iterator[Figure]]


def _with_servers(measure: Callable[[Servers], Iterator[Figure]], settings: Mapping[str, str] | None = None) -> Measure:
    def measure_with_servers() -> Iterator[Figure]:
        with servers(settings) as running:
            yield from measure(running)

    return measure_with_servers


MEASURES: dict[str, Measure] = {
    "cold-start": lambda_costs.measure,
    "ingest": _with_servers(ingest.measure),
    "timers": _with_servers(timers.measure),
    "reads": _with_servers(reads.measure, reads.SETTINGS),
    "feed": _with_servers(feed.measure),
    "page": page.measure,
    "optimisations": _with_servers(optimisations.measure),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(MEASURES)} (default: all)")
    names = parser.parse_args().names or list(MEASURES)
    if unknown := set(names) - MEASURES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    for name in names:
        with console.status(f"{name} …"):
            for figure in MEASURES[name]():
                show(figure)
                figures.append(figure)
    console.print(table(figures))


if __name__ == "__main__":
    main()
