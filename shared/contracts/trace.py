"""W3C Trace Context (https://www.w3.org/TR/trace-context/): the trace that a request and all that it leads to are in.

A `traceparent` is a version, the trace's id, the id of the span that speaks, and flags: `00-<32 hex>-<16 hex>-<2 hex>`.
What is not valid counts as none, as the standard asks: a broken trace must not break a call.
"""

import re
from os import urandom

# A later version may say more behind what this one says.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_ROOT, _PARENT = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)"), re.compile(r"Parent=([0-9a-f]{16})(?:;|$)")
_SAMPLED = 1  # the only flag that the standard knows
_TRACE = slice(3, 35)


def parsed(said: object) -> str | None:
    """A caller's traceparent in our version; None where it is not valid."""
    found = _TRACEPARENT.fullmatch(said.strip()) if isinstance(said, str) else None
    if not found or (found["version"] == "00" and found["more"]):
        return None
    return f"00-{found['trace']}-{found['span']}-{int(found['flags'], 16) & _SAMPLED:02x}"


def from_xray(said: str) -> str | None:
    """The same from AWS's own header, `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`."""
    if not (root := _ROOT.search(said)):
        return None
    parent = _PARENT.search(said)
    return parsed(f"00-{root[1]}{root[2]}-{parent[1] if parent else _span()}-{int('Sampled=1' in said):02x}")


def begun() -> str:
    """A trace of its own."""
    return f"00-{urandom(16).hex()}-{_span()}-01"


def continued(traceparent: str | None) -> str:
    """A span of ours in a caller's trace, or in one that begins here."""
    return f"{traceparent[: _TRACE.stop]}-{_span()}-{traceparent[-2:]}" if traceparent else begun()


def trace_id(traceparent: str) -> str:
    return traceparent[_TRACE]


def _span() -> str:
    return urandom(8).hex()
