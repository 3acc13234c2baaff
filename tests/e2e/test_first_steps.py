"""docs/first-steps.md as a newcomer follows it: every command runs, and prints what the page shows.

The `sh` fences of the page are commands, and its `text` fences are their outputs. `third-terminal` after the language
means the terminal that follows the feed.
"""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.cloud import COMMAND_SECONDS, Cloud
from tests.support.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "first-steps.md").read_text()
FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What differs from run to run, and its name in a comparison.
VARYING = {
    "<id>": r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b",
    "<time>": r"(?:\b\d{4}-\d\d-\d\dT)?\b\d\d:\d\d:\d\d\.\d+Z?",
    "<token>": r"\beyJ[\w-]+(?:\.[\w-]+){0,2}",
    "<port>": r"(?<=127\.0\.0\.1:)\d+",
}
ELLIPSIS = "…"
END = "\x1e"


def comparable(text: str) -> str:
    for name, pattern in VARYING.items():
        text = re.sub(pattern, name, text)
    return text.strip()


def pattern_of(shown: str) -> re.Pattern[str]:
    """Matches an output in `comparable` form that is what the page shows, with anything in place of an ellipsis."""
    return re.compile(".*?".join(re.escape(part) for part in comparable(shown).split(ELLIPSIS)), re.DOTALL)


@dataclass
class Terminal:
    """A bash session. What it prints goes to `output`, both streams in their order."""

    shell: subprocess.Popen[str]
    output: str = field(default="", init=False)

    def run(self, commands: str) -> int:
        """Run commands to their end. Returns 0, or the exit code of the last one that failed.

        `output` is then what all of them printed.
        """
        assert self.shell.stdout
        self.start(f"failed=0\ntrap 'failed=$?' ERR\n{commands}\ntrap - ERR\nprintf '\\n{END}%s\\n' $failed")
        self.output = ""
        for line in self.shell.stdout:
            if line.startswith(END):
                return int(line[1:])
            self.output += line
        raise AssertionError(f"bash ended: {self.output}")

    def start(self, commands: str) -> None:
        """Start commands and do not wait for them."""
        assert self.shell.stdin
        self.shell.stdin.write(f"{commands}\n")
        self.shell.stdin.flush()

    def wait_for(self, wanted: re.Pattern[str]) -> None:
        """Read until what was printed since the last call is what is wanted."""
        assert self.shell.stdout
        self.output = ""
        for line in self.shell.stdout:
            self.output += line
            if wanted.fullmatch(comparable(self.output)):
                return
        raise AssertionError(f"Not printed: {wanted.pattern}\nPrinted: {self.output}")


@contextmanager
def terminal(cloud: Cloud) -> Iterator[Terminal]:
    """In the folder of the repository. Killed with what it runs if it takes too long."""
    shell = subprocess.Popen(
        ["bash"],
        cwd=REPOSITORY,
        env=cloud.environment | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    limit = threading.Timer(COMMAND_SECONDS, os.killpg, (shell.pid, signal.SIGKILL))
    limit.start()
    try:
        yield Terminal(shell)
    finally:
        limit.cancel()
        os.killpg(shell.pid, signal.SIGKILL)  # with its children: a command that follows the feed never ends
        shell.communicate()


def test_the_tutorial_s_commands_print_the_shown_output(cloud: Cloud) -> None:
    fences = FENCE.findall(PAGE)
    assert {language for language, _, _ in fences} == {"sh", "text"}
    with terminal(cloud) as second, terminal(cloud) as third:
        for language, name, body in fences:
            if name and language == "sh":
                third.start(body)
            elif name:
                third.wait_for(pattern_of(body))
            elif language == "sh":
                assert second.run(body) == 0, second.output
            else:
                printed = comparable(second.output)
                assert pattern_of(body).fullmatch(printed), f"The page shows:\n{body}\nPrinted:\n{printed}"
