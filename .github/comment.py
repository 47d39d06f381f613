"""Posts what a run of ``preview`` or ``playground`` wrote for its pull request, as one comment that is edited in place.

Runs with a token that may write comments, and so trusts nothing that the run left: the run executed the pull request's code. Of
its artefact two small members are read, in memory; the request's number counts only where that request's head is the commit
of the run; and of the text, only what isostack itself writes is left to work as Markdown (:func:`defused`).

The comment has a section for each kind of run, and a run replaces its own. Needs Python alone: no package, no other file.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any

ROOM = {"preview": 64_400, "playground": 1_000}
"""The workflows that leave a comment, in the order in which it has them, and how many characters each has there; GitHub takes
65,536. The artefact of each has its name."""
AUTHOR = "github-actions[bot]"
MOST_IN_TEXT = 300_000
MOST_IN_ARCHIVE = 50_000_000
MOST_IN_ANSWER = 10_000_000
PAUSE = 2.0
"""Seconds until a look whether the other workflow wrote over what was just written: between its read and its write is less."""

Pause = Callable[[float], None]


class Declined(Exception):
    """What the run left is not posted; the message says why."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address of an archive is on another host, which must not see the token."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


@dataclass(frozen=True)
class GitHub:
    """The few calls that are needed, on one repository. ``api`` is the address without a slash at its end."""

    api: str
    repository: str
    token: str

    def get(self, path: str) -> Any:
        return json.loads(self._call("GET", path))

    def call(self, method: str, path: str, body: str | None = None) -> None:
        """Write, or delete, a comment."""
        self._call(method, path, None if body is None else json.dumps({"body": body}).encode())

    def archive(self, path: str) -> bytes:
        """What the address that this path leads to has, fetched without the token. Raises Declined where it is too long."""
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            opener.open(self._request("GET", path), timeout=30).close()
        except urllib.error.HTTPError as redirect:
            if redirect.code not in (301, 302, 303, 307, 308):
                raise
            target = urllib.parse.urljoin(self.api, redirect.headers["Location"])
        else:
            raise Declined("the artefact's archive has no address")
        if urllib.parse.urlsplit(target).scheme != urllib.parse.urlsplit(self.api).scheme:
            raise Declined("the artefact's archive has an address of another kind")
        with opener.open(target, timeout=60) as answer:
            return bounded(answer, MOST_IN_ARCHIVE, "the artefact")

    def _call(self, method: str, path: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self._request(method, path, data), timeout=30) as answer:  # noqa: S310 - GitHub's own address
            return bounded(answer, MOST_IN_ANSWER, "GitHub's answer")

    def _request(self, method: str, path: str, data: bytes | None = None) -> urllib.request.Request:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        address = f"{self.api}/repos/{self.repository}/{path}"
        return urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - GitHub's own address


def bounded(stream: Any, most: int, what: str) -> bytes:
    """All of a stream. Raises Declined where it has more than ``most`` bytes."""
    content: bytes = stream.read(most + 1)
    if len(content) > most:
        raise Declined(f"{what} has more than {most:,} bytes")
    return content


# -- what the run left --------------------------------------------------------------------------------------------------


def artefact(github: GitHub, run: Mapping[str, Any]) -> tuple[int, str]:
    """The number of the pull request that the run claims, and its text; empty where it came to none. Raises Declined."""
    name = run["name"]
    listed = github.get(f"actions/runs/{run['id']}/artifacts?name={name}&per_page=10")["artifacts"]
    found = [one for one in listed if one["name"] == name and not one["expired"]]
    if not found:
        raise Declined(f"the run left no artefact {name}")
    if found[-1]["size_in_bytes"] > MOST_IN_ARCHIVE:
        raise Declined(f"the artefact has more than {MOST_IN_ARCHIVE:,} bytes")
    content = github.archive(f"actions/artifacts/{found[-1]['id']}/zip")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            number = _member(archive, "number", 20)
            text = _member(archive, "comment.md", MOST_IN_TEXT) if "comment.md" in archive.namelist() else ""
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, UnicodeDecodeError, NotImplementedError, RuntimeError) as error:
        raise Declined(f"the artefact cannot be read: {error}") from None
    if not re.fullmatch("[1-9][0-9]{0,8}", number.strip(), re.ASCII):
        raise Declined("the artefact names no pull request")
    return int(number), text


def _member(archive: zipfile.ZipFile, name: str, most: int) -> str:
    with archive.open(name) as stream:
        return bounded(stream, most, f"{name} in the artefact").decode()


def verified(github: GitHub, number: int, run: Mapping[str, Any]) -> None:
    """Raise Declined unless the pull request's head is what ran: the commit, and the repository that it came from."""
    request = github.get(f"pulls/{number}")
    head = request["head"]
    repository = (head["repo"] or {}).get("full_name")
    if head["sha"] != run["head_sha"] or repository is None or repository != run["head_repository"]["full_name"]:
        raise Declined(f"the head of pull request {number} is not the commit that ran, {run['head_sha']}")


# -- what of its text works ---------------------------------------------------------------------------------------------

# A fence as isostack writes it. What else could be one, for GitHub, is taken apart.
_FENCE = re.compile("(`{3,})(?:diff|text)?")
_KEPT = re.compile("(<code>[^<]*</code>|</?(?:details|summary|sub)>)")
_IN_CODE = re.compile(r"[\\`*_\[\]!~|$@]|(?<!&)#|://|(?i:www(?=\.))")
# GitHub looks for mentions and addresses after entities have been read, but not across a space of no width.
_PLAIN = re.compile(r"[\\`\[<&~]|@|:(?=//)|#(?=\w)|(?i:\bwww(?=\.))|(?i:\bgh-(?=\d))")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]")


def defused(text: str, own: str) -> str:
    """The text, in which only headings, tables, emphasis, fences and the tags that isostack writes still work.

    Mentions, references, images, other tags and links come out as the characters that they are made of; but for a link that
    stands alone on its line and leads to a page below ``own``. What isostack writes stays as it is, byte for byte.
    """
    lines, before, fence, folded = [], "", "", 0
    link = re.compile(rf"\[[A-Za-z ,]+\]\({re.escape(own)}/[\w/.#-]*\)", re.ASCII)
    for line in _CONTROL.sub("\ufffd", text.replace("\r\n", "\n")).split("\n"):
        opened = _FENCE.fullmatch(line)
        if fence:
            # At the beginning of a line a mark would begin a section.
            lines.append(f" {line}" if line.startswith("<!--") else line)
            fence = "" if re.fullmatch(f" {{0,3}}{fence}`*[ \t]*", line) else fence
        elif opened and not before.strip(" \t"):  # only after an empty line what HTML began is over for certain
            fence = opened[1]
            lines.append(line)
        else:
            lines.append(line if link.fullmatch(line) else _inactive(line))
            folded = max(0, folded + lines[-1].count("<details>") - lines[-1].count("</details>"))
        before = line
    return "\n".join([*lines, *([fence] if fence else []), *(["", "</details>" * folded] if folded else [])])


def _inactive(line: str) -> str:
    """A line outside of fences. Inside of ``<code>`` GitHub looks for no mentions, but Markdown goes on there."""
    done = []
    for part in _KEPT.split(line):
        if not _KEPT.fullmatch(part):
            done.append(_PLAIN.sub(_apart, part))
        elif part.startswith("<code>"):
            inside = part.removeprefix("<code>").removesuffix("</code>")
            done.append(f"<code>{_IN_CODE.sub(lambda found: ''.join(map(_numbered, found[0])), inside)}</code>")
        else:
            done.append(part)
    return "".join(done)


def _numbered(character: str) -> str:
    return f"&#{ord(character)};"


def _apart(found: re.Match[str]) -> str:
    return _numbered(found[0]) if found[0] in "\\`[<&~" else f"{found[0]}&#8203;"


# -- the comment --------------------------------------------------------------------------------------------------------


def mark(section: str) -> str:
    """By this a section is found. A run's text cannot have it: its tags come out as text."""
    return f"<!-- isostack {section} -->"


def sections(body: str) -> dict[str, str]:
    """The sections of a comment by name, without their marks."""
    parts = re.split(rf"^<!-- isostack ({'|'.join(ROOM)}) -->\n", body.replace("\r\n", "\n"), flags=re.MULTILINE)
    return {name: text.strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def joined(parts: Mapping[str, str]) -> str:
    """The comment that has these sections."""
    return "\n\n".join(f"{mark(name)}\n{parts[name]}" for name in ROOM if name in parts)


def section_of(run: Mapping[str, Any], text: str, own: str) -> str:
    """What a run says, and, in words of our own, of which commit."""
    name = run["name"]
    text = text.replace("\r\n", "\n").removeprefix(f"{mark(name)}\n").strip("\n")
    shown = defused(text, own) if text.strip() else f"**The {name} did not come to an end.**"
    page = f"[The run]({own}/actions/runs/{run['id']})"
    ending = f"\n\n<sub>{name} of {run['head_sha']}, written by that commit's own code. {page}</sub>"
    fits = len(shown) + len(ending) <= ROOM[name]
    return (shown if fits else f"**The {name} is too long to be shown here.**") + ending


def post(github: GitHub, number: int, name: str, section: str, pause: Pause = time.sleep) -> None:
    """Put the section into the comment of a pull request, which is made where there is none yet.

    Two workflows may write at once, and GitHub knows no condition for that: so look whether it has stayed.
    """
    for _ in range(4):
        found = existing(github, number)
        first, others = found[0] if found else None, found[1:]
        parts = {**(sections(first["body"]) if first else {}), name: section}
        for other in others:
            parts = {**sections(other["body"]), **parts}
        if first and not others and sections(first["body"]) == parts:
            return
        if first:
            github.call("PATCH", f"issues/comments/{first['id']}", joined(parts))
        else:
            github.call("POST", f"issues/{number}/comments", joined(parts))
        for other in others:
            github.call("DELETE", f"issues/comments/{other['id']}")
        pause(PAUSE)


def existing(github: GitHub, number: int) -> list[dict[str, Any]]:
    """The comments of ours on a pull request, the oldest first. Who else writes the mark into a comment is not believed."""
    found = []
    for page in range(1, 31):
        comments = github.get(f"issues/{number}/comments?per_page=100&page={page}")
        ours = [one for one in comments if (one["user"] or {}).get("login") == AUTHOR]
        found += [one for one in ours if one["body"].startswith(tuple(map(mark, ROOM)))]
        if len(comments) < 100:
            break
    return found


def main(environment: Mapping[str, str], pause: Pause = time.sleep) -> int:
    """Post what the run of the event left. 0 where it is posted or there is nothing to post, 1 where GitHub does not let us."""
    run = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text())["workflow_run"]
    repository = environment["GITHUB_REPOSITORY"]
    github = GitHub(environment["GITHUB_API_URL"].rstrip("/"), repository, environment["GITHUB_TOKEN"])
    own = f"{environment['GITHUB_SERVER_URL'].rstrip('/')}/{repository}"
    try:
        if run["name"] not in ROOM:
            raise Declined(f"{run['name']!r} leaves no comment")
        number, text = artefact(github, run)
        verified(github, number, run)
        post(github, number, run["name"], section_of(run, text, own), pause)
    except Declined as reason:
        sys.stderr.write(f"nothing posted: {' '.join(_CONTROL.sub('?', str(reason)).split())}\n")
        return 0
    except urllib.error.URLError as error:
        sys.stderr.write(f"error: GitHub: {error}\n")
        return 1
    sys.stderr.write(f"posted to pull request {number}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
