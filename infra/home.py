"""The folder of a local run: its data, logs, secrets and state."""

import contextlib
import html
import json
import os
import secrets
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.environment import environment
from infra.errors import InfraError

# The access key id of the local cloud, which MiniStack takes for the account id.
KEY_ID = "000000000000"

REPOSITORY = Path(__file__).resolve().parents[1]
State = dict[str, Any]


def in_checkout() -> bool:
    """Whether this runs from a checkout of the repository rather than from an installed wheel."""
    return (REPOSITORY / "template.yaml").is_file()


@dataclass(frozen=True)
class Home:
    """The folder of one local run."""

    root: Path

    @classmethod
    def current(cls) -> "Home":
        """`SWITCHBOARD_HOME`, else `.switchboard` in the checkout; for an installed wheel, in the working folder."""
        if chosen := environment().get("SWITCHBOARD_HOME"):
            return cls(Path(chosen).expanduser().resolve())
        return cls((REPOSITORY if in_checkout() else Path.cwd()) / ".switchboard")

    @cached_property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @cached_property
    def logs(self) -> Path:
        return self.root / "logs"

    @cached_property
    def function_log(self) -> Path:
        """Each row has a function's name, a tab, and a line of its log."""
        return self.logs / "functions.log"

    @cached_property
    def server_logs(self) -> tuple[Path, ...]:
        """Written by the servers and by their keeper through inherited file descriptors."""
        return tuple(self.logs / f"{name}.log" for name in ("ministack", "postgres", "redis", "watch"))

    @cached_property
    def temporary(self) -> Path:
        """MiniStack unpacks functions here, so processes that run from here belong to this run."""
        return self.root / "tmp"

    @cached_property
    def died(self) -> Path:
        """Holds a file for each function whose process was killed during an invocation."""
        return self.temporary / "died"

    @cached_property
    def state_file(self) -> Path:
        return self.root / "state.json"

    @cached_property
    def sign_in(self) -> Path:
        """A page that opens the dashboard with its token. Its own address contains no secret."""
        return self.root / "sign-in.html"

    def create(self) -> None:
        """Create the folders for their owner only. Raises `InfraError` if others can write to the root folder."""
        for folder in (self.root, self.logs, self.temporary):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & stat.S_IWOTH:  # such as /tmp, whose mode must not change
                raise InfraError(f"Every user can write to {folder}. Name another folder by SWITCHBOARD_HOME.")
            folder.chmod(0o700)

    def write_sign_in(self, dashboard: str) -> None:
        """Write the page that opens this address."""
        address = html.escape(dashboard, quote=True)
        write_private(
            self.sign_in,
            '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
            f'<title>Switchboard</title><meta http-equiv="refresh" content="0; url={address}">\n',
        )

    def read_state(self) -> State:
        """The last run's state. Empty if there was none or its file is damaged."""
        try:
            return json.loads(self.state_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def write_state(self, state: State) -> None:
        """Replace the file in one step: a reader never sees half of it."""
        write_private(self.state_file, json.dumps(state, indent=2) + "\n")

    def secret(self, name: str) -> str:
        """A random key of this run, created once and readable by its owner only."""
        path = self.root / "secrets" / name
        with contextlib.suppress(FileNotFoundError):
            if kept := path.read_text().strip():
                return kept
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(48) + "\n")
        return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
