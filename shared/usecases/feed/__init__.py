"""The feed: subscriptions, and the relay that sends changes to WebSocket connections."""
