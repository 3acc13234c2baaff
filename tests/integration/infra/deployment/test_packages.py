"""What goes to Lambda holds all that it imports. Locally the environment would hide a gap."""

import importlib.util
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.deployment import package, template
from infra.toolchain import files

HANDLERS = template.functions(template.load()).values()
# The machine that runs the test, so that the package's binaries load here.
HERE = package.Target("x86_64" if platform.machine() == "x86_64" else "arm64",
                      f"{sys.version_info.major}.{sys.version_info.minor}")  # fmt: skip
UNCHECKED = b"\x01\0\0\0"  # PEP 552: by hash, and not looked at
IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib
for handler in sys.argv[2:]:
    module, name = handler.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name)), handler
files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
assert not [file for file in files if "site-packages" in file]
"""
INVOKES = """
import sys
sys.path.insert(0, sys.argv[1])
import botocore.session
session = botocore.session.get_session()
session.set_credentials("a", "b")
for service in sys.argv[2:]:
    session.create_client(service, region_name="us-east-1")
"""


def run_bare(script: str, *arguments: object) -> None:
    """A Python without its site packages, the environment and the working directory."""
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", script, *map(str, arguments)],
                          capture_output=True, text=True, cwd="/", check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name", [name if name == "ingest" else pytest.param(name, marks=pytest.mark.contract) for name in package.NAMES]
)
def test_a_complete_package_imports_its_handlers_alone(name):
    handlers = [handler for handler in HANDLERS if template.package_of(handler) == name]
    run_bare(IMPORT, package.complete(name, HERE), *handlers)


def test_a_package_excludes_bytecode_of_other_pythons(monkeypatch, tmp_path):
    """It has a passing name, and would be gone before it is read. Seen once, as `switchboard up` that failed."""
    monkeypatch.setattr(package, "REPOSITORY", tmp_path)
    module = tmp_path / "shared" / "metrics.py"
    passing = module.parent / "__pycache__" / "metrics.cpython-313.pyc.140456324400608"
    for path in (tmp_path / "functions" / "__init__.py", tmp_path / "functions" / "ingest" / "app.py", module, passing):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert {path.name for path in package.sources("ingest")} == {"__init__.py", "app.py", "metrics.py"}


@pytest.mark.contract
@pytest.mark.parametrize("target", [HERE, package.Target()], ids=["here", "lambda"])
@pytest.mark.parametrize("name", package.NAMES)
def test_it_is_small(name, target):
    """Well under the 50 MB that were asked for: one more dependency must not be the one too many."""
    folder = package.complete(name, target)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 40_000_000


@pytest.mark.contract
@pytest.mark.parametrize("name", package.NAMES)
def test_it_holds_its_own_functions_and_no_others(name):
    folder = package.complete(name, HERE)
    assert {path.name for path in (folder / "functions").iterdir()} == {"__init__.py", "__pycache__", name}
    assert not (folder / "infra").exists()
    assert not list(folder.rglob("tests/conftest.py"))


@pytest.mark.contract
def test_trimming_leaves_the_services_that_are_called():
    run_bare(INVOKES, package.complete("ingest", HERE), *package.KEPT_SERVICES)


@pytest.mark.contract
@pytest.mark.parametrize("name", package.NAMES)
def test_its_bytecode_comes_with_it(name):
    """A cold start compiles nothing: each module has its bytecode, and that one is not asked for its source's age."""
    folder = package.complete(name, HERE)
    for source in folder.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        assert compiled.exists(), source
        assert compiled.read_bytes()[4:8] == UNCHECKED


@pytest.mark.contract
def test_the_same_sources_make_the_same_bytes(tmp_path):
    first = files.zip_folder(package.complete("query", HERE), tmp_path / "first.zip")
    second = files.zip_folder(package.complete("query", HERE), tmp_path / "second.zip")
    assert first.read_bytes() == second.read_bytes()


def test_the_local_zip_holds_our_code_only():
    names = set(zipfile.ZipFile(package.slim("ingest")).namelist())
    assert "functions/ingest/app.py" in names
    assert "shared/settings.py" in names
    assert {name.split("/")[0] for name in names} == {"functions", "shared"}


@pytest.mark.contract
def test_the_one_for_lambda_has_lambda_s_binaries():
    folder = package.complete("query", package.Target("arm64", "3.13"))
    binaries = [path.name for path in folder.rglob("*.cpython-313-*.so")]
    assert binaries
    assert all("aarch64" in name for name in binaries)
