"""What is publicly known against our locked dependencies: python -m infra.audit"""

import subprocess
import sys
import tempfile
from pathlib import Path

from infra.environment import environment
from infra.uv import uv

PIP_AUDIT = "pip-audit==2.10.1"
UNKNOWN = "could not be audited"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(uv("export", "--frozen", "--no-emit-project", "--no-header"))
        uvx = Path(sys.executable).with_name("uvx")
        command = [
            uvx,
            "-q",
            PIP_AUDIT,
            "-r",
            requirements,
            "--disable-pip",
            "--require-hashes",
            "--progress-spinner=off",
        ]
        trusting = environment(UV_SYSTEM_CERTS="1")  # as infra/bootstrap.sh does
        done = subprocess.run(command, env=trusting, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode == 0 and UNKNOWN not in said:
        sys.stdout.write("Nothing is known against the dependencies.\n")
        return 0
    unreachable = any(error in said for error in ("ConnectionError", "ServiceError", "SSLError"))
    if unreachable or (done.returncode == 0 and UNKNOWN in said):
        sys.stdout.write(
            "THE DEPENDENCIES WERE NOT AUDITED: only a mirror of packages can be reached, not the advisories.\n"
        )
        return 1 if environment().get("SWITCHBOARD_AUDIT") == "required" else 0
    sys.stdout.write(said)
    return 1


if __name__ == "__main__":
    sys.exit(main())
