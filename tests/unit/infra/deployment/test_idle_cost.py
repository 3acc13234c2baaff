"""The fixed cost that docs/scale.md states, against both templates."""

from bench import idle
from tests.support.paths import REPOSITORY


def dollars(choice: idle.Choice) -> dict[str, float]:
    return {cost.part: cost.dollars for cost in idle.costs(choice)}


def test_the_page_has_the_table_of_the_templates() -> None:
    page = (REPOSITORY / "docs" / "scale.md").read_text()
    assert "\n".join(idle.rows()) in page, "put the output of `python -m bench.idle` into docs/scale.md"


def test_a_second_nat_gateway_costs_its_price_and_its_address() -> None:
    one, two = dollars(idle.Choice(nat_gateways=1)), dollars(idle.Choice(nat_gateways=2))
    differing = {part: two[part] - one[part] for part in two if two[part] != one[part]}
    assert differing.keys() == {"NAT gateways", "their public addresses"}
    assert sum(differing.values()) == idle.HOURS * (idle.NAT_HOUR + idle.ADDRESS_HOUR)


def test_a_further_shard_costs_another_relay() -> None:
    one, two = dollars(idle.Choice(shards=1)), dollars(idle.Choice(shards=2))
    relay = two["sweep and relay"] - one["sweep and relay"]
    assert 17 < relay < 19, "half a gigabyte, always"
