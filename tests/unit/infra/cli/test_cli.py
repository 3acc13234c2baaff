"""The switchboard command itself: its version and its list of subcommands."""

import re
import subprocess
import tomllib

from typer.testing import CliRunner

from infra.cli import HIDDEN, MODULES, app
from tests.support.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_version_is_the_version_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"switchboard {PROJECT['version']}\n")


def test_help_lists_the_version_option_and_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    missing = [name for name in ("--version", *(MODULES.keys() - HIDDEN)) if name not in result.output]
    assert missing == []


def test_make_help_lists_every_target() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = [target for line in re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE) for target in line.split()]
    listed = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    missing = [target for target in targets if target != "help" and f"make {target} " not in listed]
    assert targets
    assert missing == []
