"""What AWS charges in a month without calls: quantities of both templates at the prices of docs/scale.md.

`python -m bench.idle` prints the table that the page has.
"""

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from bench.report import console
from infra.deployment import deploy, template
from shared.settings import Settings

HOURS = 730  # of a month
MINUTES = HOURS * 60
DATA_TEMPLATE = Path(deploy.__file__).with_name("data.template.yaml")

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

LOG_BYTES_AN_HOUR = 187_680  # measured by `python -m bench.logs`, with one shard
# Two that operators make themselves (docs/deploy.md): the functions' database URLs, and the key of tokens.
OWN_SECRETS = 2
OWNER_SECRET = 1  # made by RDS
IDLE_METRICS = 5  # that a sweep writes
HANDOVER_SECONDS = 1.0  # assumed: as long two relays of a shard overlap, each minute
LOOK_SECONDS = 2.5  # the relay of the schedule, where every shard has its relay (usecases/feed/lease.py)
POLLERS, POLL_SECONDS = 5, 20  # of Lambda at a queue, at least


@dataclass(frozen=True)
class Cost:
    """One line of a month's bill."""

    part: str
    """What is paid for."""
    quantity: str
    """How much of it, in words."""
    price: str
    """The price of one unit, in words."""
    dollars: float
    """A month."""


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
    return [*_functions(choice), *_network(choice), *_stores(choice), *_watching(choice)]


def _functions(choice: Choice) -> list[Cost]:
    memory = template.load()["Globals"]["Function"]["MemorySize"] / 1024
    lasts: dict[str, Any] = {field.name: field.default for field in fields(Settings)}
    sweep, relay = lasts["sweep_seconds"] / 60, (lasts["relay_seconds"] + HANDOVER_SECONDS) / 60
    seconds = MINUTES * 60 * (sweep + choice.shards * relay + LOOK_SECONDS / 60)
    runs = MINUTES * (2 + choice.shards)
    return [
        Cost(
            "sweep and relay",
            f"{seconds * memory / 1e6:.2f} million GB-seconds",
            f"{LAMBDA_GB_SECOND * 1e6:.2f} a million",
            seconds * memory * LAMBDA_GB_SECOND + runs * LAMBDA_REQUEST,
        ),
        Cost("schedules", f"{2 * MINUTES:,} invocations", "1.00 a million", 2 * MINUTES * SCHEDULE),
        Cost(
            "reading the empty event queue",
            f"{POLLERS * HOURS * 3600 // POLL_SECONDS:,} requests",
            "0.40 a million",
            POLLERS * HOURS * 3600 / POLL_SECONDS * QUEUE_REQUEST,
        ),
    ]


def _network(choice: Choice) -> list[Cost]:
    gateways = choice.nat_gateways
    return [
        Cost("NAT gateways", f"{gateways}", f"{NAT_HOUR} an hour", gateways * HOURS * NAT_HOUR),
        Cost("their public addresses", f"{gateways}", f"{ADDRESS_HOUR} an hour", gateways * HOURS * ADDRESS_HOUR),
    ]


def _stores(choice: Choice) -> list[Cost]:
    defaults = {name: each.get("Default") for name, each in _data()["Parameters"].items()}
    copies = 2 if choice.multi_az else 1
    database, cache = defaults["InstanceClass"], defaults["CacheNodeType"]
    gigabytes, processors = defaults["StorageGigabytes"], DATABASE_PROCESSORS[database]
    zones = "two zones" if choice.multi_az else "one zone"
    return [
        Cost(
            "Postgres",
            f"{database}, {zones}",
            f"{DATABASE_HOUR[database] * copies:.3f} an hour",
            copies * HOURS * DATABASE_HOUR[database],
        ),
        Cost(
            "Postgres' storage",
            f"{gigabytes} GB, {zones}",
            f"{STORAGE_GB * copies:.3f} a GB",
            copies * gigabytes * STORAGE_GB,
        ),
        Cost(
            "RDS Proxy",
            f"{processors} processors",
            f"{PROXY_PROCESSOR_HOUR} an hour",
            processors * HOURS * PROXY_PROCESSOR_HOUR,
        ),
        Cost("Valkey", f"{copies} {cache}", f"{CACHE_HOUR[cache]} an hour", copies * HOURS * CACHE_HOUR[cache]),
    ]


def _watching(choice: Choice) -> list[Cost]:
    resources = template.load()["Resources"].values()
    kinds = Counter(each["Type"] for each in resources if each.get("Condition") != "IsAlwaysOpen")
    alarms = kinds["AWS::CloudWatch::Alarm"]
    made = Counter(each["Type"] for each in _data()["Resources"].values())["AWS::SecretsManager::Secret"]
    secrets = made + OWNER_SECRET + OWN_SECRETS
    traces = MINUTES * (2 + choice.shards)
    logged = LOG_BYTES_AN_HOUR * HOURS / 1e9
    return [
        Cost("secrets", f"{secrets}", f"{SECRET:.2f} each", secrets * SECRET),
        Cost("alarms", f"{alarms}", f"{ALARM:.2f} each", alarms * ALARM),
        Cost("metrics of the sweep", f"{IDLE_METRICS}", f"{METRIC:.2f} each", IDLE_METRICS * METRIC),
        Cost("traces", f"{traces:,}", "5.00 a million", traces * TRACE),
        Cost(
            "logs, kept for 30 days",
            f"{logged:.2f} GB",
            f"{LOG_GB:.2f} a GB, {LOG_GB_KEPT} a GB kept",
            logged * (LOG_GB + LOG_GB_KEPT),
        ),
    ]


def _data() -> dict[str, Any]:
    return yaml_parse(DATA_TEMPLATE.read_text())  # pyright: ignore[reportUnknownVariableType] - it has no types


def rows() -> list[str]:
    """The table of docs/scale.md, line by line."""
    lines = ["| part | quantity | price | dollars a month | in a trial |", "|---|---|---|---|---|"]
    everyday, trial = costs(), costs(TRIAL)
    for cost, cheaper in zip(everyday, trial, strict=True):
        lines.append(f"| {cost.part} | {cost.quantity} | {cost.price} | {cost.dollars:.2f} | {cheaper.dollars:.2f} |")
    total, least = (sum(cost.dollars for cost in each) for each in (everyday, trial))
    return [*lines, f"| **all** | | | **{total:.2f}** | **{least:.2f}** |"]


if __name__ == "__main__":
    console.print("\n".join(rows()), markup=False, soft_wrap=True)
