"""SQL of the feed and the relay."""
