"""AWS: Lambda, API Gateway connections, request signing and secrets."""
