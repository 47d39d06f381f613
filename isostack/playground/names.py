"""What a playground is called: by its user and branch unless it is told, in letters that every AWS service takes. Pure, but
for :func:`default`, which asks who and where we are.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import subprocess
import unicodedata
from pathlib import Path

from isostack.errors import BadInput

LONGEST = 24
PREFIX = "play-"
_TRANSLATED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l"})


def default(folder: Path) -> str:
    """The name for this user and the git branch of the folder; the user alone where there is no branch."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    branch = _branch(folder)
    return cleaned(f"{user}/{branch}" if branch else user)


def cleaned(name: str) -> str:
    """The name in small letters, digits and hyphens, at most 24 of them, beginning with a letter.

    Two names that differ stay two: where something else than a plain name was given, a digest of it stands at the end.
    Raises BadInput for a name without a letter or digit in any script that can be written so.
    """
    if re.fullmatch(rf"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){{0,{LONGEST - 1}}}", name):
        return name
    plain = unicodedata.normalize("NFKD", name.lower().translate(_TRANSLATED)).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not name.strip():
        raise BadInput("a playground needs a name; give one, or leave it out for the one of your user and branch")
    if not re.match("[a-z]", words):
        words = f"p-{words}".strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:5]
    return f"{words[: LONGEST - 6].rstrip('-')}-{digest}"


def stack_of(name: str) -> str:
    """The stack of a playground."""
    return f"{PREFIX}{name}"


def _branch(folder: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - git, asked for a name
            ["git", "-C", str(folder), "symbolic-ref", "--short", "HEAD"],  # noqa: S607 - as the person has it
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
