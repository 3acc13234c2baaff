"""infra/deployment/data.template.yaml against the other places that state the same things."""

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from infra.local.postgres import binaries
from tests.support.paths import REPOSITORY

PATH = REPOSITORY / "infra" / "deployment" / "data.template.yaml"
TEMPLATE: dict[str, Any] = yaml_parse(PATH.read_text())  # pyright: ignore[reportUnknownVariableType] - has no types
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def major(version: str) -> str:
    found = re.search(r"(\d+)(\.\d+)*", version)
    assert found, version
    return found[1]


def test_postgres_has_one_major_version_everywhere() -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    squawk = tomllib.loads((REPOSITORY / "infra" / "database" / "squawk.toml").read_text())
    server = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    stated = {
        "RDS": RESOURCES["Postgres"]["Properties"]["EngineVersion"],
        "its parameters": RESOURCES["PostgresParameters"]["Properties"]["Family"],
        "docker compose": compose["services"]["postgres"]["image"].partition(":")[2],
        "local run and tests": server.stdout,
        "check of migrations": squawk["pg_version"],
    }
    assert len({major(version) for version in stated.values()}) == 1, stated


def nat_of(zone: str, *, gateways: int) -> str:
    """The NAT gateway that a private subnet of the zone uses."""
    routes = RESOURCES[f"RoutesOfPrivate{zone}"]["Properties"]["RouteTableId"]["Ref"]
    (route,) = [
        properties["NatGatewayId"]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::EC2::Route"
        and (properties := resource["Properties"])["RouteTableId"]["Ref"] == routes
    ]
    if "Fn::If" in route:
        _, with_two, with_one = route["Fn::If"]
        route = with_two if gateways == 2 else with_one
    return route["Ref"]


def zone_of(subnet: str) -> int:
    return RESOURCES[subnet]["Properties"]["AvailabilityZone"]["Fn::Select"][0]


@pytest.mark.parametrize("zone", ["A", "B"])
def test_a_private_subnet_uses_the_nat_of_its_own_zone(zone: str) -> None:
    nat = RESOURCES[nat_of(zone, gateways=2)]["Properties"]["SubnetId"]["Ref"]
    assert zone_of(nat) == zone_of(f"Private{zone}")


def test_with_one_nat_gateway_both_zones_share_it() -> None:
    shared = nat_of("A", gateways=1)
    assert nat_of("B", gateways=1) == shared
    assert "Condition" not in RESOURCES[shared]


def test_subnets_do_not_overlap() -> None:
    blocks = [
        resource["Properties"]["CidrBlock"]["Fn::Select"][0]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::EC2::Subnet"
    ]
    assert len(blocks) == len(set(blocks)) == 4
