"""What Switchboard knows: the rules, the contracts, the use cases and the adapters that serve them."""
