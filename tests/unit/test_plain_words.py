"""Names, comments, documents, SQL, command help and texts of the dashboard use plain words.

The word list is short on purpose: it holds the words that this project used as its own jargon. CONTRIBUTING.md states
the rules of style.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

WORDS = (
    "told",
    "said",
    "anew",
    "in vain",
    "whoever",
    "whomever",
    "nobody",
    "somebody",
    "mend",
    "mends",
    "mended",
    "meanwhile",
)
PHRASES = ("of which", "be it")
# "The agent who answered" is plain. "Who answers is ..." is not.
WHO_AS_SUBJECT = re.compile(
    r"""(?:^|[.:;!?|]|"{3}|\#|--|//|[*-])[ \t]*   # where a sentence, a comment or a bullet begins
        (?:"|\*\*|_)?(?:Who|Whom)[ ](?!(?:is|are|was|does|did|may|can)\b[^.]*\?)[a-z]""",
    re.VERBOSE | re.MULTILINE,
)
WHO_IN_A_NAME = re.compile(r"(?<![a-zA-Z_])(?:test_|_)?who[ms]?_[a-z]\w*|\w+_(?:and|that|when|where|if)_who_\w*")
ALLOWED = ('SERVER_USER = "nobody"',)  # a name of the operating system
_WORD = re.compile(rf"(?<![a-zA-Z])(?:{'|'.join(WORDS)})(?![a-zA-Z])", re.IGNORECASE)
_PHRASE = re.compile(rf"(?<![a-zA-Z])(?:{'|'.join(PHRASES)})(?![a-zA-Z_])", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

READ = {".py", ".sql", ".md", ".ts", ".tsx", ".css", ".html", ".yaml", ".yml", ".toml", ".sh", ".mjs", ""}
UNREAD = ("tests/unit/test_plain_words.py", "CHANGELOG.md", "LICENSE", "NOTICE", "uv.lock")


def findings(text: str) -> list[str]:
    """The words and phrases in a text that the project does not use, each with its line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(ALLOWED):
            continue
        spaced = _CAMEL.sub(" ", line)
        for pattern in (_WORD, _PHRASE, WHO_AS_SUBJECT, WHO_IN_A_NAME):
            found += [f"{number}: {match.group().strip()}" for match in pattern.finditer(spaced)]
    return found


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    paths = [Path(line) for line in listed.splitlines()]
    return [path for path in paths if path.suffix in READ and not str(path).startswith(UNREAD)]


def test_every_file_uses_plain_words() -> None:
    found = [
        f"{path}:{finding}"
        for path in files()
        if (REPOSITORY / path).is_file()
        for finding in findings((REPOSITORY / path).read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "told = 1",
        "def agents_told(): ...",
        "const lastTold = 0",
        "-- whoever holds the lock",
        '"""Who answers is engaged."""',
        "A sentence. Who answers is engaged.",
        "- Who answers is engaged.",
        "# Who answers is engaged.",
        "def test_who_answers_is_engaged(): ...",
        "the agents, of which two are free",
        "The rollups are computed anew.",
        "Nobody answers.",
    ],
)
def test_a_planted_word_is_found(planted: str) -> None:
    assert findings(planted)


@pytest.mark.parametrize(
    "plain",
    [
        "the agent who answered",
        "def test_an_agent_who_answers_is_engaged(): ...",
        "- Who can read this? Every supervisor.",
        "the mainland, an amendment and a threshold",
        "maybe it is late",
    ],
)
def test_plain_text_passes(plain: str) -> None:
    assert findings(plain) == []
