"""Licences of the packages that a release uses: checked by infra.toolchain.check_licences

Switchboard is under Apache-2.0. Permissive licences are compatible with it. Packages under weak copyleft are named here
and in `CONTRIBUTING.md`. Exits with 1 where a package has any other licence.
"""

import re
from importlib import metadata
from typing import Any

PERMISSIVE = frozenset({"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0"})
# Used unmodified, as separate packages that a user can replace; none of their code is copied here.
WEAK_COPYLEFT = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "certifi": "MPL-2.0",
    "orjson": "MPL-2.0 AND (Apache-2.0 OR MIT)",
}
# Needed on other platforms or Python versions only, so not installed everywhere: what their projects state.
ELSEWHERE = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause", "tzdata": "Apache-2.0"}
# Trove classifiers and older free texts, as SPDX names.
SPDX = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def of_python(name: str) -> str | None:
    """The SPDX expression of a package; None where it is neither installed nor in `ELSEWHERE`, or states no licence."""
    try:
        about = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return ELSEWHERE.get(name)
    if expression := about.get("license_expression"):
        return str(expression)
    classifiers = [value.rpartition(" :: ")[2] for value in about.get("classifier", ()) if "License ::" in value]
    stated = str(about.get("license") or "").strip()
    if re.fullmatch(r"[\w.-]+( (OR|AND) [\w.-]+)*", stated):
        return stated
    known = [SPDX.get(text) for text in classifiers or [stated]]
    return " OR ".join(filter(None, known)) or None


def is_permissive(expression: str) -> bool:
    """Whether one alternative of each part of a (flat) SPDX expression is permissive."""
    parts = re.sub(r"[()]", "", expression).split(" AND ")
    return all(PERMISSIVE.intersection(part.split(" OR ")) for part in parts)


def incompatible(found: dict[str, str | None]) -> list[str]:
    """A line for each package whose licence is neither permissive nor one that `WEAK_COPYLEFT` names for it."""
    return [
        f"{name}: {licence or 'states no licence'}"
        for name, licence in sorted(found.items())
        if not (licence and (is_permissive(licence) or WEAK_COPYLEFT.get(name) == licence))
    ]


def of_bom(bom: dict[str, Any]) -> dict[str, str | None]:
    """Each component's licence in a CycloneDX document."""
    return {part["name"]: _expression(part.get("licenses", [])) for part in bom["components"]}


def as_bom(expression: str) -> list[dict[str, Any]]:
    """An SPDX expression as CycloneDX's `licenses`."""
    single = expression in PERMISSIVE
    return [{"license": {"id": expression}} if single else {"expression": expression}]


def _expression(licences: list[dict[str, Any]]) -> str | None:
    stated = [each.get("expression") or each["license"].get("id") or each["license"].get("name") for each in licences]
    return " AND ".join(filter(None, stated)) or None
