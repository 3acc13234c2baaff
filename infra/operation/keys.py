"""The storage of the keys that sign tokens: a local run's file, Secrets Manager or SSM."""

from dataclasses import dataclass
from typing import Any, Protocol

from infra import aws
from infra.home import Home, in_checkout, write_private
from infra.local.cloud import TOKEN_SECONDS, LocalCloud
from shared.adapters.auth import tokens

LOCAL = "token-key"


class KeyHolder(Protocol):
    def read(self) -> str: ...

    def write(self, keys: str) -> None: ...


def holder(name: str | None, region: str, endpoint_url: str | None) -> KeyHolder:
    """The storage with this name, or the local run's. Raises `LookupError` if an installed wheel finds no local run."""
    if not name:
        home = Home.current()
        if not in_checkout() and not home.state_file.exists():
            raise LookupError(f"There is no local run in {home.root}. Name the key of a deployment with --key-name.")
        return LocalKeys(home)
    if name.startswith("/") or ":ssm:" in name:
        return Parameter(aws.client("ssm", region, endpoint_url), name)
    return Secret(aws.client("secretsmanager", region, endpoint_url), name)


@dataclass(frozen=True)
class LocalKeys:
    """The keys of a local run. Its functions get them at deployment, so `write` deploys them again."""

    home: Home

    def read(self) -> str:
        return self.home.secret(LOCAL)

    def write(self, keys: str) -> None:
        write_private(self.home.root / "secrets" / LOCAL, keys + "\n")
        state = self.home.read_state()
        if state.get("ready"):
            LocalCloud(self.home, state=state).deploy()
            token = tokens.mint(keys, role="admin", ttl_seconds=TOKEN_SECONDS)  # the saved one may be refused now
            page = state.get("dashboard") and f"{state['dashboard'].partition('#')[0]}#token={token}"
            self.home.write_state(self.home.read_state() | {"token": token, "dashboard": page})
            if page:
                self.home.write_sign_in(page)


@dataclass(frozen=True)
class Secret:
    client: Any
    name: str

    def read(self) -> str:
        return self.client.get_secret_value(SecretId=self.name)["SecretString"]

    def write(self, keys: str) -> None:
        self.client.put_secret_value(SecretId=self.name, SecretString=keys)


@dataclass(frozen=True)
class Parameter:
    client: Any
    name: str

    def read(self) -> str:
        return self.client.get_parameter(Name=self.name, WithDecryption=True)["Parameter"]["Value"]

    def write(self, keys: str) -> None:
        self.client.put_parameter(Name=self.name, Value=keys, Type="SecureString", Overwrite=True)
