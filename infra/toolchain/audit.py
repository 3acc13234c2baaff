"""Check the locked dependencies against published advisories: python -m infra.toolchain.audit

Exits with 1 if an advisory applies, or if the advisories are not reachable. With SWITCHBOARD_AUDIT=if-reachable, the
second case is not an error.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.environment import environment
from infra.toolchain import dashboard
from infra.toolchain.uv import uv

PIP_AUDIT = "pip-audit==2.10.1"
OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json")


class NotAuditedError(Exception):
    """The advisories are not reachable."""


def of_python() -> list[str]:
    """Advisories for uv.lock. Raises `NotAuditedError`."""
    uvx = Path(sys.executable).with_name("uvx")
    trusting = environment(UV_SYSTEM_CERTS="1")  # as infra/toolchain/bootstrap.sh does
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(uv("export", "--frozen", "--no-emit-project", "--no-header"))
        command = [uvx, "-q", PIP_AUDIT, "-r", requirements, *OPTIONS]
        done = subprocess.run(command, env=trusting, capture_output=True, text=True, check=False)
    return read_pip_audit(done.stdout, done.stderr)


def of_page() -> list[str]:
    """Advisories for package-lock.json. Raises `NotAuditedError`."""
    done = dashboard.run_npm("audit", "--json")
    return read_npm_audit(done.stdout)


def read_pip_audit(output: str, errors: str = "") -> list[str]:
    dependencies: list[dict[str, Any]] = _json(output, errors).get("dependencies", [])
    if skipped := [found["skip_reason"] for found in dependencies if "skip_reason" in found]:
        raise NotAuditedError(f"{skipped[0]} ({len(skipped)} of {len(dependencies)} packages)")
    if not dependencies:
        raise NotAuditedError("no package was checked")
    return [
        f"{found['name']} {found['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'none yet'}"
        for found in dependencies
        for known in found["vulns"]
    ]


def read_npm_audit(output: str) -> list[str]:
    report = _json(output)
    if "auditReportVersion" not in report:
        raise NotAuditedError(str(report.get("message", "npm printed nothing")))
    return [
        f"{name} {found['range']}: {known['title']}, {known['url']}"
        for name, found in report["vulnerabilities"].items()
        for known in found["via"]
        if isinstance(known, dict)  # a text names another package of this report
    ]


def _json(output: str, errors: str = "") -> dict[str, Any]:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        lines = errors.strip().splitlines() or ["no output"]
        raise NotAuditedError(lines[-1]) from None


AUDITS: dict[str, Callable[[], Sequence[str]]] = {"Python's packages": of_python, "the page's packages": of_page}


def main() -> int:
    required = environment().get("SWITCHBOARD_AUDIT") != "if-reachable"
    return max(_audit(name, known_of, required) for name, known_of in AUDITS.items())


def _audit(name: str, known_of: Callable[[], Sequence[str]], required: bool) -> int:
    try:
        known = known_of()
    except NotAuditedError as error:
        sys.stdout.write(f"NOT AUDITED: {name}. No advisories can be reached from here: {error}\n")
        return int(required)
    sys.stdout.write("\n".join([f"Against {name} {len(known) or 'nothing'} known.", *known]) + "\n")
    return int(bool(known))


if __name__ == "__main__":
    sys.exit(main())
