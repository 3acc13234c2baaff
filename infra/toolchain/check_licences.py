"""Check that the licence of every package allows redistribution."""

import sys

from infra.toolchain import licences, sbom


def main() -> int:
    found = licences.of_bom(sbom.of_python()) | licences.of_bom(sbom.of_page())
    bad = licences.incompatible(found)
    copyleft = [f"{name}: {licence}" for name, licence in licences.WEAK_COPYLEFT.items() if name in found]
    sys.stdout.write("\n".join([f"{len(found)} packages. Weak copyleft:", *copyleft, *bad]) + "\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
