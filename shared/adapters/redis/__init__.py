"""Redis pub/sub from the recording functions to the relays."""
