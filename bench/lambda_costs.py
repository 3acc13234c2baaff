"""The cost of a function before and between calls: its cold start, and AWS's charges for a month without calls.

`python -m bench.lambda_costs` prints the table of docs/scale.md from the quantities of both templates.
"""

import platform
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from bench.harness import Figure, console
from infra.deployment import deploy, package, template
from infra.environment import environment
from infra.toolchain import pythons
from shared.settings import Settings

RUNS = 7
IMPORT_LIMIT_MS = 250
_IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
__import__(sys.argv[2])
print(time.perf_counter() - began)
"""


def measure() -> Iterator[Figure]:
    """The import of each function from its package, as on Lambda: plain Python, with the package's bytecode."""
    python = pythons.find("3.13") or pythons.find(platform.python_version().rpartition(".")[0])
    assert python
    version = _run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    target = package.Target("x86_64" if platform.machine() == "x86_64" else "arm64", version)
    began = time.perf_counter()
    _run([python, "-I", "-S", "-c", "pass"])
    start = (time.perf_counter() - began) * 1000
    for name in package.NAMES:
        module = next(h for h in template.functions(template.load()).values() if template.package_of(h) == name)
        command = [python, "-I", "-S", "-B", "-c", _IMPORT, package.complete(name, target), module.rpartition(".")[0]]
        seconds = [float(_run(command)) for _ in range(RUNS + 1)][1:]  # the first run fills the file system's cache
        note = f"Python {version}, which starts in {start:.0f} ms"
        value = statistics.median(seconds) * 1000
        yield Figure(f"cold start: import of functions.{name}", value, "ms", IMPORT_LIMIT_MS, "the limit", note)


def _run(command: list[str | Path]) -> str:
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout


HOURS = 730  # a month
MINUTES = HOURS * 60

# List prices in us-east-1, in dollars. docs/scale.md has the source of each.
LAMBDA_REQUEST, LAMBDA_GB_SECOND = 0.20e-6, 1.33334e-5
NAT_HOUR, ADDRESS_HOUR = 0.045, 0.005
DATABASE_HOUR = {"db.m7g.large": 0.168}  # Postgres in one zone
DATABASE_PROCESSORS = {"db.m7g.large": 2}
STORAGE_GB, PROXY_PROCESSOR_HOUR = 0.115, 0.015
CACHE_HOUR = {"cache.t4g.small": 0.0256}  # Valkey
SECRET, ALARM, METRIC = 0.40, 0.10, 0.30
TRACE, SCHEDULE, QUEUE_REQUEST = 5e-6, 1e-6, 0.40e-6
LOG_GB, LOG_GB_KEPT = 0.50, 0.03

LOG_BYTES_AN_HOUR = 187_680  # measured with one shard; see *Log volume* in docs/scale.md
OPERATOR_SECRETS = 2  # the functions' database URLs, and the key of tokens (docs/deploy.md)
OWNER_SECRETS = 1  # RDS makes it
SWEEP_METRICS = 5
HANDOVER_SECONDS = 1.0  # assumed overlap of two relays of a shard, each minute
SCHEDULED_RELAY_SECONDS = 2.5  # if every shard has its relay (usecases/feed/lease.py)
POLLERS, POLL_SECONDS = 5, 20  # the minimum that Lambda runs for a queue


@dataclass(frozen=True)
class Cost:
    """One line of a month's bill."""

    part: str
    """The charged resource."""
    quantity: str
    """The charged quantity with its unit, as text."""
    price: str
    """The price of one unit, as text."""
    dollars: float
    """The charge for a month."""


@dataclass(frozen=True)
class Choice:
    """Parameters that change the fixed cost."""

    multi_az: bool = True
    """A standby of Postgres and a replica of Valkey: `MultiAz` of the data template."""
    nat_gateways: int = 2
    """`NatGateways` of the data template."""
    shards: int = 1
    """`RelayShards` of template.yaml."""


TRIAL = Choice(multi_az=False, nat_gateways=1)


def costs(choice: Choice = Choice()) -> list[Cost]:
    return [*_functions(choice), *_network(choice), *_stores(choice), *_monitoring(choice)]


def _functions(choice: Choice) -> list[Cost]:
    memory = template.load()["Globals"]["Function"]["MemorySize"] / 1024
    defaults: dict[str, Any] = {field.name: field.default for field in fields(Settings)}
    sweep, relay = defaults["sweep_seconds"], defaults["relay_seconds"] + HANDOVER_SECONDS
    seconds = MINUTES * (sweep + choice.shards * relay + SCHEDULED_RELAY_SECONDS)
    invocations = MINUTES * (2 + choice.shards)
    polls = POLLERS * HOURS * 3600 / POLL_SECONDS
    compute = seconds * memory * LAMBDA_GB_SECOND + invocations * LAMBDA_REQUEST
    quantity, price = f"{seconds * memory / 1e6:.2f} million GB-seconds", f"{LAMBDA_GB_SECOND * 1e6:.2f} a million"
    return [
        Cost("sweep and relay", quantity, price, compute),
        Cost("schedules", f"{2 * MINUTES:,} invocations", "1.00 a million", 2 * MINUTES * SCHEDULE),
        Cost("reading the empty event queue", f"{polls:,.0f} requests", "0.40 a million", polls * QUEUE_REQUEST),
    ]


def _network(choice: Choice) -> list[Cost]:
    return [
        _hourly("NAT gateways", f"{choice.nat_gateways}", NAT_HOUR, choice.nat_gateways),
        _hourly("their public addresses", f"{choice.nat_gateways}", ADDRESS_HOUR, choice.nat_gateways),
    ]


def _stores(choice: Choice) -> list[Cost]:
    defaults = {name: each.get("Default") for name, each in _data_template()["Parameters"].items()}
    copies, zones = (2, "two zones") if choice.multi_az else (1, "one zone")
    database, cache = defaults["InstanceClass"], defaults["CacheNodeType"]
    gigabytes, processors = defaults["StorageGigabytes"], DATABASE_PROCESSORS[database]
    hour, storage = DATABASE_HOUR[database] * copies, STORAGE_GB * copies
    return [
        Cost("Postgres", f"{database}, {zones}", f"{hour:.3f} an hour", HOURS * hour),
        Cost("Postgres' storage", f"{gigabytes} GB, {zones}", f"{storage:.3f} a GB", gigabytes * storage),
        _hourly("RDS Proxy", f"{processors} processors", PROXY_PROCESSOR_HOUR, processors),
        _hourly("Valkey", f"{copies} {cache}", CACHE_HOUR[cache], copies),
    ]


def _monitoring(choice: Choice) -> list[Cost]:
    resources = template.load()["Resources"].values()
    alarms = sum(
        each["Type"] == "AWS::CloudWatch::Alarm" and each.get("Condition") != "IsAlwaysOpen" for each in resources
    )
    made = Counter(each["Type"] for each in _data_template()["Resources"].values())["AWS::SecretsManager::Secret"]
    secrets = made + OWNER_SECRETS + OPERATOR_SECRETS
    traces = MINUTES * (2 + choice.shards)
    gigabytes = LOG_BYTES_AN_HOUR * HOURS / 1e9
    log_price = f"{LOG_GB:.2f} a GB, {LOG_GB_KEPT} a GB kept"
    return [
        Cost("secrets", f"{secrets}", f"{SECRET:.2f} each", secrets * SECRET),
        Cost("alarms", f"{alarms}", f"{ALARM:.2f} each", alarms * ALARM),
        Cost("metrics of the sweep", f"{SWEEP_METRICS}", f"{METRIC:.2f} each", SWEEP_METRICS * METRIC),
        Cost("traces", f"{traces:,}", "5.00 a million", traces * TRACE),
        Cost("logs, kept for 30 days", f"{gigabytes:.2f} GB", log_price, gigabytes * (LOG_GB + LOG_GB_KEPT)),
    ]


def _hourly(part: str, quantity: str, price: float, count: int) -> Cost:
    return Cost(part, quantity, f"{price} an hour", count * HOURS * price)


def _data_template() -> dict[str, Any]:
    path = Path(deploy.__file__).with_name("data.template.yaml")
    return yaml_parse(path.read_text())  # pyright: ignore[reportUnknownVariableType] - it has no types


def rows() -> list[str]:
    """The lines of the table in docs/scale.md."""
    lines = ["| part | quantity | price | dollars a month | in a trial |", "|---|---|---|---|---|"]
    defaults, trial = costs(), costs(TRIAL)
    for cost, cheaper in zip(defaults, trial, strict=True):
        lines.append(f"| {cost.part} | {cost.quantity} | {cost.price} | {cost.dollars:.2f} | {cheaper.dollars:.2f} |")
    total, least = (sum(cost.dollars for cost in each) for each in (defaults, trial))
    return [*lines, f"| **all** | | | **{total:.2f}** | **{least:.2f}** |"]


if __name__ == "__main__":
    console.print("\n".join(rows()), markup=False, soft_wrap=True)
