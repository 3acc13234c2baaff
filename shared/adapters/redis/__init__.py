"""Redis pub/sub between the functions that record and the relay."""
