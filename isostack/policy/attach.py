"""Which policy packs judge a project's stack: the project's own, always, and those that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isostack.engine.project import ENVIRONMENT_KEY
from isostack.engine.project_file import EXTENSIONS, shown
from isostack.errors import BadInput, Refused

if TYPE_CHECKING:
    from isostack.engine.project import Project, StackConfig
    from isostack.policy.analyzer import Policies

OWN = "policies"
"""The folder beside Pulumi.yaml that holds a project's own pack."""
PACK_FILE = "PulumiPolicy"
NOT_WITHOUT = ("staging", "production")
"""The environments that nobody changes without a pack."""


def own_pack(project: Project) -> Path | None:
    """The folder of a project's own pack, or None where it has none."""
    folder = project.root / OWN
    return folder if pack_file(folder) else None


def pack_file(folder: Path) -> Path | None:
    """The file that makes a folder a pack, or None where there is none."""
    return next((file for extension in EXTENSIONS if (file := folder / f"{PACK_FILE}{extension}").is_file()), None)


def attach(project: Project, config: StackConfig, folders: Sequence[Path] = (), files: Sequence[Path] = ()) -> Policies | None:
    """The packs that :func:`chosen` says, loaded; None where there is none."""
    packs = chosen(project, config, folders, files)
    return _attached(project, config, packs) if packs else None


def chosen(
    project: Project, config: StackConfig, folders: Sequence[Path] = (), files: Sequence[Path] = ()
) -> list[tuple[Path, Path | None]]:
    """The folders of the project's own pack and of those in ``folders``, each with its configuration out of ``files``.

    There is a file for each folder, in their order, or, without a folder, one for the project's own pack.
    Raises Refused where staging or production would be changed without any, and BadInput for what cannot be read.
    """
    own = own_pack(project)
    asked = [folder.resolve() for folder in folders]
    if missing := next((folder for folder in folders if not folder.is_dir()), None):
        raise BadInput(f"--policy-pack {missing}: no such directory")
    if files and len(files) != (len(folders) or bool(own)):
        raise BadInput(
            f"--policy-pack-config: {len(files)} of them for {len(folders)} of --policy-pack; "
            "give each pack its own, in the same order"
        )
    if own in asked:
        own = None
    environment = config.values.get(ENVIRONMENT_KEY, "")
    if not asked and own is None:
        if environment in NOT_WITHOUT:
            raise Refused(
                f"{config.stack}: there is no policy pack to judge {environment} with; put the project's own back in "
                f"{shown(project.root / OWN)}, or name one with --policy-pack"
            )
        return []
    every = [*([own] if own else []), *asked]
    # Files go with the last folders: those that were asked for, or the project's own where there are no others.
    given = dict(zip(reversed(every), reversed(files), strict=False))
    return [(folder, given.get(folder)) for folder in every]


def _attached(project: Project, config: StackConfig, chosen: Sequence[tuple[Path, Path | None]]) -> Policies:
    from isostack.policy.analyzer import Attached, Policies
    from isostack.policy.configuration import read_file, reconcile
    from isostack.policy.pack import Surroundings, load

    surroundings = Surroundings.of(project.name, config)
    packs = []
    for folder, file in chosen:
        pack = load(folder, surroundings)
        said = read_file(file) if file else {}
        packs.append(Attached(pack, reconcile(pack, said, f"--policy-pack-config {shown(file)}" if file else "")))
    return Policies(packs, surroundings)
