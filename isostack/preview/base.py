"""The program of another revision, brought up on paper: what stands in where an environment has no recorded state.

Owns getting a revision's files out of git, beside the working tree and without touching it, and running them with a host that
makes up what a cloud would answer. The states that come of it are as good as recorded ones for telling what changes.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from isostack.engine import run
from isostack.engine.program import forget_modules
from isostack.engine.project import PINNED_KEY, Project, known_stacks, load_project, load_stack
from isostack.engine.run import Intent, Options, Stack
from isostack.engine.state import Snapshot
from isostack.errors import BadInput, OperationFailed
from isostack.preview.offline import PreviewHost, RecordedStates

TIMEOUT = 60


@dataclass(frozen=True)
class Base:
    """A project as it was at a revision. ``head`` is where it lies now."""

    revision: str
    project: Project
    head: Path
    _nowhere: Path = field(repr=False)

    def snapshot(self, name: str) -> Snapshot:
        """What an environment would be, had this revision been brought up; empty where it has no such environment.

        Raises OperationFailed where the program of that time does not run.
        """
        if name not in known_stacks(self.project):
            return Snapshot()
        store, seen = RecordedStates(self._nowhere), list[Intent]()
        config = load_stack(self.project, name, store.keyring.open)
        host = PreviewHost(self._nowhere, paper=True)
        stack = Stack(self.project, name, config, store, host, lambda event: None)
        with self._first_on_the_path():
            result = run.preview(stack, Options(gates=[seen.append]))
        if result.result == "failed" or not seen:
            problems = "; ".join(d.message for d in result.diagnostics if d.severity == "error")
            raise OperationFailed(f"the program of {self.revision} fails: {problems.replace(f'{self.project.root}/', '')}")
        snapshot = seen[0].after
        snapshot.metadata.parameter_version = config.values.get(PINNED_KEY, "")
        return snapshot

    @contextmanager
    def _first_on_the_path(self) -> Iterator[None]:
        """Packages are imported from the revision's files, and not from those that lie here or are installed."""
        forget_modules({"__main__"}, self.head)
        path = list(sys.path)
        sys.path.insert(0, str(self.project.root))
        try:
            yield
        finally:
            sys.path[:] = path
            forget_modules({"__main__"}, self.project.root)


@contextmanager
def base_of(project: Project, reference: str) -> Iterator[Base]:
    """The project at a revision, in a folder that is gone afterwards. Raises BadInput where there is no such revision."""
    here = project.root
    try:
        revision = _git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}").strip().decode()
    except BadInput as error:
        raise BadInput(f"--base {reference}: {error or 'there is no such revision; fetch it, or name another'}") from None
    inside = _git(here, "rev-parse", "--show-prefix").strip().decode()
    with TemporaryDirectory(prefix="isostack-base-") as folder:
        root = Path(folder).resolve() / "tree"
        with tarfile.open(fileobj=BytesIO(_git(here, "archive", "--format=tar", f"{revision}:{inside}"))) as archive:
            archive.extractall(root, filter="data")
        try:
            then = load_project(root)
        except BadInput as error:
            raise BadInput(f"--base {reference}: {error}") from None
        yield Base(revision[:12], then, here, Path(folder) / "nowhere")


def revision_of(project: Project) -> str:
    """The revision that is checked out, with a word where files differ from it; ``not in git`` where it is in none."""
    try:
        revision = _git(project.root, "rev-parse", "--short=12", "HEAD").strip().decode()
        changed = _git(project.root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except BadInput:
        return "files that are not in git"
    return f"{revision} with uncommitted changes" if changed else revision


def _git(folder: Path, *arguments: str) -> bytes:
    command: Sequence[str] = ("git", "-C", str(folder), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)  # noqa: S603 - no shell
    except OSError as error:
        raise BadInput(f"git cannot be run: {error.strerror}") from None
    if done.returncode:
        raise BadInput(done.stderr.decode(errors="replace").strip())
    return done.stdout
