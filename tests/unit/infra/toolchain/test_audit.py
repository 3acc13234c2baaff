"""What the tools that know of advisories say, and what is made of it: silence is no all-clear."""

import json

import pytest

from infra.toolchain import audit
from infra.toolchain.audit import NotAuditedError

CLEAN = {"name": "idna", "version": "3.10", "vulns": []}
KNOWN = {"name": "idna", "version": "3.6", "vulns": [{"id": "PYSEC-2024-60", "fix_versions": ["3.7"]}]}
SKIPPED = {"name": "orjson", "skip_reason": "Dependency not found on PyPI and could not be audited: orjson (3.11)"}
NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "vite": {"range": "<=6.0.8", "via": [{"title": "Reads any file", "url": "https://advisories/1"}, "esbuild"]},
        "app": {"range": "*", "via": ["vite"]},
    },
}


def test_a_known_vulnerability_is_reported_with_its_fix() -> None:
    report = json.dumps({"dependencies": [CLEAN, KNOWN]})
    assert audit.read_pip_audit(report) == ["idna 3.6: PYSEC-2024-60, fixed in 3.7"]
    assert audit.read_pip_audit(json.dumps({"dependencies": [CLEAN]})) == []
    assert audit.read_npm_audit(json.dumps(NPM)) == ["vite <=6.0.8: Reads any file, https://advisories/1"]
    assert audit.read_npm_audit(json.dumps(NPM | {"vulnerabilities": {}})) == []


@pytest.mark.parametrize(
    "report", ["", json.dumps({"dependencies": [CLEAN, SKIPPED]}), json.dumps({"dependencies": []})]
)
def test_packages_without_a_report_are_not_clean(report: str) -> None:
    with pytest.raises(NotAuditedError):
        audit.read_pip_audit(report, "requests.exceptions.ConnectionError: no way")


@pytest.mark.parametrize("report", ["", json.dumps({"message": "405 Method Not Allowed", "statusCode": 405})])
def test_a_registry_that_does_not_answer_is_no_all_clear(report: str) -> None:
    with pytest.raises(NotAuditedError):
        audit.read_npm_audit(report)


@pytest.mark.parametrize(("setting", "code"), [("", 1), ("if-reachable", 0)])
def test_without_advisories_it_fails_unless_that_was_expected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, code: int
) -> None:
    def unreachable() -> list[str]:
        raise NotAuditedError("no way")

    monkeypatch.setenv("SWITCHBOARD_AUDIT", setting)
    monkeypatch.setattr(audit, "AUDITS", {"packages": unreachable, "others": list})
    assert audit.main() == code
    assert "NOT AUDITED: packages" in capsys.readouterr().out
    monkeypatch.setattr(audit, "AUDITS", {"packages": lambda: ["idna 3.6"], "others": unreachable})
    assert audit.main() == 1
