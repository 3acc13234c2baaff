"""Programs for proofs, each in a folder of its own: beside our dependencies they would pin what those pin otherwise."""

import hashlib
from pathlib import Path

from infra.toolchain.files import BUILD, replace_older
from infra.toolchain.uv import uv

# AWS's runtime interface client: the process that calls a handler on Lambda.
RUNTIME_CLIENT = ("awslambdaric==4.2.2",)
# For the binary in it, AWS's runtime interface emulator, and for nothing else.
SAM = ("--no-deps", "aws-sam-cli==1.170.0")
# Its own newest dependencies no longer fit it: these are the last that do.
LOCALSTACK = (
    "localstack-core[runtime]==2026.3.0",
    *("cbor2<5.8", "pyopenssl==24.3.0", "cryptography==44.0.3", "joserfc<1.4", "service_identity", "setuptools<81"),
)


def libraries(name: str, requirements: tuple[str, ...], python: Path) -> Path:
    """A folder that holds these and what they need, for this interpreter. Installed once."""
    key = hashlib.sha256(f"{requirements} {python}".encode()).hexdigest()[:16]
    folder = BUILD / "tools" / f"{name}-{key}"
    if not folder.exists():
        replace_older(
            folder, lambda draft: uv("pip", "install", "--python", str(python), "--target", str(draft), *requirements)
        )
    return folder
