"""Logs as JSON lines that a person and a query can both read."""

import logging
import sys

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter


def configure(service: str, level: str) -> logging.Logger:
    """Every logger of the process writes to stdout in one form, whoever made it."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LambdaPowertoolsFormatter(service=service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells of each credential that it finds
    return logging.getLogger(service)
