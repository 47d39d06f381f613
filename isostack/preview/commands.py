"""``isostack preview`` over several environments: collects the report, and prints or writes it in the form that is wanted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isostack.errors import BadInput

if TYPE_CHECKING:
    from isostack.engine.project import Project
    from isostack.engine.store import Store
    from isostack.preview.report import Parity, Report

FORMATS = ("text", "json", "markdown", "html")


@dataclass(frozen=True)
class Wanted:
    """What a person asked for. No ``environment`` means all; ``output`` is a file, None for standard output."""

    environment: str | None = None
    form: str = "text"
    base: str | None = None
    parity: bool = False
    artefact: str = ""
    output: Path | None = None
    save: Path | None = None


def preview_all(store: Store, project: Project, wanted: Wanted) -> int:
    """Print the report, and give the exit code: 1 where an environment fails, 3 where something is refused."""
    check(wanted)
    report = report_of(store, project, wanted, _say if sys.stderr.isatty() else lambda text: None)
    text = formatted(report, wanted)
    if wanted.output is None:
        sys.stdout.write(text)
    else:
        wanted.output.parent.mkdir(parents=True, exist_ok=True)
        wanted.output.write_text(text, encoding="utf-8")
        sys.stderr.write(f"{report.verdict}\n{wanted.output}\n")
    return report.exit_code


def check(wanted: Wanted) -> None:
    """Raise BadInput for what cannot be meant."""
    if wanted.form not in FORMATS:
        raise BadInput(f"--format {wanted.form}: there are {', '.join(FORMATS)}")
    if wanted.save and wanted.base is not None:
        raise BadInput("--save goes without --base: what stands in for a state cannot be applied to")
    if wanted.artefact and not wanted.artefact.startswith(("https://", "http://")):
        raise BadInput(f"--artefact {wanted.artefact}: an address begins with https://")


def report_of(store: Store, project: Project, wanted: Wanted, progress: Callable[[str], None]) -> Report:
    """Collect the report. Raises BadInput where there is nothing to look at."""
    from isostack.preview.base import base_of, revision_of
    from isostack.preview.collect import Sources, collect, environments
    from isostack.preview.plans import save

    names = environments(project)
    if wanted.environment is not None and wanted.environment not in names:
        raise BadInput(f"no environment {wanted.environment!r} in {project.name}; there are {', '.join(names)}")
    names = [wanted.environment] if wanted.environment is not None else names
    revision = revision_of(project)
    # A plan is bound to secrets by their fingerprints, under a key that the states' passphrase gives.
    keyring = store.keyring if wanted.save else None
    with ExitStack() as stack:
        base = stack.enter_context(base_of(project, wanted.base)) if wanted.base is not None else None
        sources = Sources(project, store.home, revision, base, keyring, wanted.save is not None, store.backend)
        report, plans = collect(sources, names, progress)
    if wanted.save:
        save(wanted.save, project, revision, plans)
    return replace(report, parity=_parity(project, progress)) if wanted.parity else report


def _parity(project: Project, progress: Callable[[str], None]) -> Parity:
    from isostack.errors import IsostackError
    from isostack.localcloud.provider import OfflineHost
    from isostack.localcloud.server import LocalCloud
    from isostack.parameters import newest_pinned
    from isostack.parity import prove
    from isostack.preview.report import Parity

    version = newest_pinned(project)
    progress(f"proving the parity of {version}")
    try:
        proof = prove(project, version, OfflineHost(LocalCloud(project.root)), lambda what: None)
    except IsostackError as error:
        return Parity(version, False, (str(error),))
    return Parity(version, proof.holds, tuple(map(str, proof.breaches)))


def formatted(report: Report, wanted: Wanted) -> str:
    """The report in the form that is wanted, ending with a line break."""
    if wanted.form == "json":
        return json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"
    if wanted.form == "markdown":
        from isostack.preview.markdown import markdown

        return markdown(report, wanted.artefact)
    if wanted.form == "html":
        from isostack.preview.page import page

        return page(report)
    from isostack.preview.text import lines

    return "\n".join(lines(report)) + "\n"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}…\n")
