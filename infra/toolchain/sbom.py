"""Bills of materials (CycloneDX 1.5) of what a release contains, taken from the lock files."""

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from infra.errors import InfraError
from infra.toolchain import dashboard, licences
from infra.toolchain.uv import uv

Bom = dict[str, Any]
# The Lambda packages contain this one's own modules and none of its dependencies (infra/deployment/package.py).
ALONE = "chalice"


def of_python(moment: int = 0) -> Bom:
    """The packages that the functions and the installed command use, with their licences.

    `moment` is the time of the document in seconds since 1970. Raises `InfraError`.
    """
    exported = uv("export", "--frozen", "--preview-features", "sbom-export", "--format", "cyclonedx1.5",
                  "--no-default-groups", "--group", "functions")  # fmt: skip
    bom = _without_dependencies_of(ALONE, json.loads(exported))
    for component in bom["components"]:
        if licence := licences.of_python(component["name"]):
            component["licenses"] = licences.as_bom(licence)
    return _reproducible(bom, moment)


def of_page(moment: int = 0) -> Bom:
    """The npm packages that are part of the built dashboard. Raises `InfraError`."""
    done = dashboard.run_npm("sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only")
    if done.returncode:
        raise InfraError(f"`npm sbom` failed:\n{done.stderr}")
    return _reproducible(json.loads(done.stdout), moment)


def _without_dependencies_of(name: str, bom: Bom) -> Bom:
    """The document without the components that only `name` depends on."""
    names = {part["bom-ref"]: part["name"] for part in bom["components"]}
    needs = {
        entry["ref"]: [] if names.get(entry["ref"]) == name else entry.get("dependsOn", [])
        for entry in bom["dependencies"]
    }
    reached, ahead = set[str](), [bom["metadata"]["component"]["bom-ref"]]
    while ahead:
        ref = ahead.pop()
        if ref not in reached:
            reached.add(ref)
            ahead += needs.get(ref, [])
    return bom | {
        "components": [part for part in bom["components"] if part["bom-ref"] in reached],
        "dependencies": [{"ref": ref, "dependsOn": needs[ref]} for ref in needs if ref in reached],
    }


def _reproducible(bom: Bom, moment: int) -> Bom:
    """The document with a time and a serial number that follow from its content."""
    metadata = bom["metadata"] | {"timestamp": datetime.fromtimestamp(moment, UTC).isoformat()}
    bom = bom | {"metadata": metadata, "serialNumber": ""}
    digest = hashlib.sha256(json.dumps(bom, sort_keys=True).encode()).digest()
    return bom | {"serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"}
