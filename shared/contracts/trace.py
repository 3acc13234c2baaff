"""W3C Trace Context (https://www.w3.org/TR/trace-context/): the trace of a request and of its consequences.

A `traceparent` has a version, the trace's id, the id of the sender's span, and flags: `00-<32 hex>-<16 hex>-<2 hex>`.
An invalid value is ignored, as the standard requires.
"""

import re
from os import urandom

# A later version can append further fields.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_ROOT, _PARENT = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)"), re.compile(r"Parent=([0-9a-f]{16})(?:;|$)")
_SAMPLED = 1  # the only flag of the standard
_TRACE = slice(3, 35)


def parse_traceparent(header: object) -> str | None:
    """Return a caller's traceparent in version 00; None if it is not valid."""
    match = _TRACEPARENT.fullmatch(header.strip()) if isinstance(header, str) else None
    if not match or (match["version"] == "00" and match["more"]):
        return None
    return f"00-{match['trace']}-{match['span']}-{int(match['flags'], 16) & _SAMPLED:02x}"


def from_xray(header: str) -> str | None:
    """Return the traceparent of an X-Ray header, `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`."""
    if not (root := _ROOT.search(header)):
        return None
    parent = _PARENT.search(header)
    return parse_traceparent(
        f"00-{root[1]}{root[2]}-{parent[1] if parent else _span()}-{int('Sampled=1' in header):02x}"
    )


def new_traceparent() -> str:
    """Return the traceparent of a new trace."""
    return f"00-{urandom(16).hex()}-{_span()}-01"


def continue_trace(traceparent: str | None) -> str:
    """Return a new span of the caller's trace, or of a new trace if there is none."""
    return f"{traceparent[: _TRACE.stop]}-{_span()}-{traceparent[-2:]}" if traceparent else new_traceparent()


def trace_id(traceparent: str) -> str:
    return traceparent[_TRACE]


def _span() -> str:
    return urandom(8).hex()
