"""What whoever is on call reaches for: findings, logs, dead letters, keys."""
