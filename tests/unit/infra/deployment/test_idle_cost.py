"""The fixed cost that docs/scale.md states, against both templates."""

from bench import lambda_costs
from tests.support.paths import REPOSITORY


def dollars(choice: lambda_costs.Choice) -> dict[str, float]:
    return {cost.part: cost.dollars for cost in lambda_costs.costs(choice)}


def test_the_page_has_the_table_of_the_templates() -> None:
    page = (REPOSITORY / "docs" / "scale.md").read_text()
    assert "\n".join(lambda_costs.rows()) in page, "put the output of `python -m bench.lambda_costs` into docs/scale.md"


def test_a_second_nat_gateway_costs_its_price_and_its_address() -> None:
    one, two = dollars(lambda_costs.Choice(nat_gateways=1)), dollars(lambda_costs.Choice(nat_gateways=2))
    differing = {part: two[part] - one[part] for part in two if two[part] != one[part]}
    assert differing.keys() == {"NAT gateways", "their public addresses"}
    assert sum(differing.values()) == lambda_costs.HOURS * (lambda_costs.NAT_HOUR + lambda_costs.ADDRESS_HOUR)


def test_a_further_shard_costs_another_relay() -> None:
    one, two = dollars(lambda_costs.Choice(shards=1)), dollars(lambda_costs.Choice(shards=2))
    relay = two["sweep and relay"] - one["sweep and relay"]
    assert 17 < relay < 19, "half a gigabyte, always"
