"""Measures Switchboard's speed next to the limits of the same machine."""
