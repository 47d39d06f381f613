"""A GitHub of our own on a loopback address: one repository with one pull request, its runs' artefacts, and comments."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPOSITORY = "example-shop/platform"
FORK = "somebody/platform"
BOT = "github-actions[bot]"
TOKEN = "t0ken"
SHA = "4f2a9c1b7d3e4f2a9c1b7d3e4f2a9c1b7d3e4f2a"
NUMBER = 12


def run(name: str = "preview", **more: Any) -> dict[str, Any]:
    """A run as the event ``workflow_run`` tells of it."""
    return {"id": 77, "name": name, "head_sha": SHA, "head_repository": {"full_name": FORK}, **more}


def archive(**members: str | bytes) -> bytes:
    """An artefact's archive; ``comment`` is comment.md, any other name is the member's."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr("comment.md" if name == "comment" else name, text)
    return content.getvalue()


@dataclass
class FakeGitHub:
    """``calls`` are those that wrote; ``meanwhile`` is done once, after a comment was listed and before it is written."""

    address: str = ""
    head: dict[str, Any] = field(default_factory=lambda: {"sha": SHA, "repo": {"full_name": FORK}})
    content: bytes | None = field(default_factory=lambda: archive(number=str(NUMBER), comment="hello"))
    size: int | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    told_the_token: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    _last: int = 0

    def add(self, body: str, author: str = BOT) -> dict[str, Any]:
        self._last += 1
        self.comments.append({"id": self._last, "user": {"login": author}, "body": body})
        return self.comments[-1]

    @property
    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.comments]

    def answer(self, method: str, path: str, document: Mapping[str, Any]) -> tuple[int, Any]:
        """The status, and the document, the bytes or, with 302, the address."""
        inside = path.removeprefix(f"/repos/{REPOSITORY}/")
        if path.startswith("/storage/"):
            return 200, self.content
        if method == "GET" and inside.startswith("actions/runs/77/artifacts?"):
            wanted = re.search(r"name=(\w+)", inside)
            size = len(self.content or b"") if self.size is None else self.size
            one = {"id": 5, "name": wanted[1] if wanted else "", "expired": False, "size_in_bytes": size}
            return 200, {"artifacts": [one] if self.content is not None else []}
        if (method, inside) == ("GET", "actions/artifacts/5/zip"):
            return 302, f"{self.address}/storage/5"
        if (method, inside) == ("GET", f"pulls/{NUMBER}"):
            return 200, {"number": NUMBER, "head": self.head}
        if method == "GET" and inside.startswith(f"issues/{NUMBER}/comments?"):
            page = int(inside.rpartition("page=")[2])
            listed = json.loads(json.dumps(self.comments[100 * (page - 1) : 100 * page]))
            self.meanwhile()
            self.meanwhile = lambda: None
            return 200, listed
        self.calls.append((method, inside))
        if (method, inside) == ("POST", f"issues/{NUMBER}/comments"):
            return 201, self.add(document["body"])
        found = next((one for one in self.comments if inside == f"issues/comments/{one['id']}"), None)
        if found is not None and method == "PATCH":
            found["body"] = document["body"]
            return 200, found
        if found is not None and method == "DELETE":
            self.comments.remove(found)
            return 204, {}
        return 404, {"message": "Not Found"}


@contextmanager
def github() -> Iterator[FakeGitHub]:
    """The fake, while it is served."""
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            document = json.loads(self.rfile.read(length) or b"{}")
            if self.headers.get("Authorization"):
                fake.told_the_token.append(self.path)
            status, answer = fake.answer(self.command, self.path, document)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", answer)
            if status == 204:
                content = b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
