"""docker-compose.yml and the Dockerfiles against the code: there may be no Docker to try them on."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from infra import aws
from infra.cli import address, deployment
from infra.deployment import package, template
from infra.local import ministack

REPOSITORY = template.PATH.parent
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILES = sorted((REPOSITORY / "infra" / "docker").glob("*.Dockerfile"))
ONE_SHOTS = {name for name, service in SERVICES.items() if service.get("command", [""])[0] in ("migrate", "deploy")}
OF_THE_IMAGES = {
    "POSTGRES_USER",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "SERVICES",
    "LAMBDA_DOCKER_NETWORK",
    "REDISCLI_AUTH",
}


def is_pinned(image: str) -> bool:
    return bool(re.search(r":\d+\.\d+", image))


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name):
    assert is_pinned(SERVICES[name]["image"])


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_base_images_are_pinned(path):
    for image in re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE):
        assert is_pinned(image)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOTS))
def test_each_service_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_waits_for_a_state_never_reached(name):
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOTS else "service_healthy"
        assert wait["condition"] == expected


def test_ports_are_for_this_machine_only_and_no_two_the_same():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.rsplit(":", 1)[0] for port in published}) == len(published)


def test_addresses_point_at_listening_services():
    text = (REPOSITORY / "docker-compose.yml").read_text()
    inside = {"postgres": "5432", "redis": "6379", "localstack": "4566", "ministack": "4567"}
    for name, port in re.findall(r"[/@](\w+):(\d{4,5})\b", text):
        if name in inside:
            assert port == inside[name]
    for name, port in inside.items():
        assert any(mapping.endswith(f":{port}") for mapping in SERVICES[name]["ports"])


def test_variables_are_those_that_something_reads():
    commands = inspect.getsource(deployment) + inspect.getsource(address)
    read = OF_THE_IMAGES | set(re.findall(r'envvar="(\w+)"', commands))
    read |= set(re.findall(r"(\w+)=", inspect.getsource(ministack.MiniStack.start)))
    read |= set(re.findall(r'environment\(\).get\("(\w+)"\)', inspect.getsource(aws)))
    for name, service in SERVICES.items():
        assert set(service.get("environment", {})) <= read, name


def test_no_secret_stands_in_the_file():
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if any(word in variable for word in ("PASSWORD", "KEY", "SECRET", "AUTH")):
                assert re.fullmatch(r"\$\{\w+:\?.+\}", value)
            assert not re.search(r"://\w+:[^$]*@", str(value))
    example = (REPOSITORY / ".env.example").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?see .env.example\}", (REPOSITORY / "docker-compose.yml").read_text()))
    assert needed == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
    assert ".env" in (REPOSITORY / ".gitignore").read_text().splitlines()


def test_redis_has_a_password_that_no_command_line_shows():
    content = COMPOSE["configs"]["redis"]["content"]
    assert content.startswith('requirepass "${REDIS_PASSWORD:?see .env.example}"\n')
    assert SERVICES["redis"]["configs"] == [{"source": "redis", "target": "/etc/redis.conf"}]
    assert "PASSWORD" not in SERVICES["redis"]["command"]


def test_each_package_has_its_image():
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]
    handlers = set(template.functions(template.load()).values())
    for name in package.NAMES:
        text = (REPOSITORY / "infra" / "docker" / f"{name}.Dockerfile").read_text()
        assert name in groups
        assert f"--only-group {name} " in text
        assert re.findall(r'CMD \["(.+)"\]', text)[0] in handlers
        for source in re.findall(r"^COPY (?!--)(\S+)", text, re.MULTILINE):
            assert (REPOSITORY / source).exists()


def test_the_functions_images_have_the_template_s_python():
    version = template.load()["Globals"]["Function"]["Runtime"].removeprefix("python")
    for path in DOCKERFILES:
        for base in re.findall(r"^FROM \S*python:(\d+\.\d+)", path.read_text(), re.MULTILINE):
            assert base == version, Path(path).name
