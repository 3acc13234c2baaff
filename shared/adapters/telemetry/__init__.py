"""Logs and CloudWatch metrics."""
