"""A project's parameter sets: its own module ``parameters.py``, beside its program, found and spoken to.

isostack knows no project's parameters. A module that has what :class:`ParametersModule` names is enough; documents, their
fields and their checks are its own. Its errors carry an ``exit_code``, and become ours here.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from isostack.console import stdout_kept
from isostack.engine.project import ENVIRONMENT_KEY
from isostack.errors import BadInput, Refused

if TYPE_CHECKING:
    from isostack.engine.project import Project

COLUMNS_KEY: Final = "isostack:columns"


class Marker(Protocol):
    """How a field may differ by environment; ``reason`` is why staging may differ from production, or empty."""

    @property
    def reason(self) -> str: ...


class Table(Protocol):
    """A field with a value for each environment."""

    @property
    def path(self) -> str: ...
    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def line(self) -> int: ...
    @property
    def marker(self) -> Marker: ...


class ParameterSet(Protocol):
    """A version of all parameters."""

    @property
    def version(self) -> str: ...
    @property
    def tables(self) -> Mapping[str, Table]: ...
    def plain(self, environment: str, /) -> dict[str, Any]: ...
    def forced(self, columns: str | Mapping[str, str], /) -> ParameterSet: ...
    def digest(self) -> str: ...


class Explanation(Protocol):
    """Where a value comes from: ``table`` is None where it is one value for all environments."""

    path: str
    environment: str
    value: Any
    meaning: str
    file: str
    line: int
    table: Table | None


class Change(Protocol):
    """What differs at a path in an environment; ``kind`` is ``added``, ``removed`` or ``changed``."""

    path: str
    environment: str
    kind: str
    before: Any
    after: Any


class Role(Protocol):
    """A role of an environment: its name in the account, but for an ending that Pulumi gives, and who may take it on.

    ``principals`` are the ARNs of people's own roles, ``subjects`` the subject claims of the pipeline's tokens (from ``issuer``).
    With ``mfa`` it takes a second factor.
    """

    name: str
    principals: Sequence[str]
    subjects: Sequence[str]
    issuer: str
    mfa: bool


class Gates(Protocol):
    """Who may do what to an environment, beside what its own resources say.

    ``operators`` are the roles that may run it and ``approvers`` those that may approve, among ``roles``; ``break_glass`` is the
    one for emergencies. ``entry_role`` is there before the environment is, and makes it. With ``needs_plan``, which may be left
    out, an ``up`` takes a saved plan.
    """

    account: str
    region: str
    entry_role: str
    roles: Mapping[str, Role]
    operators: Sequence[str]
    approvers: Sequence[str]
    break_glass: str


class ParametersModule(Protocol):
    """What a project's ``parameters.py`` offers. Errors for people carry ``exit_code``: 2 for bad input, 3 for refusals.

    It may have three more: ``RESTRICTED`` (the environments that only some may run) and ``gates(set, environment)``, which
    gives :class:`Gates`; a project without them leaves every environment to everybody. And ``budget(set, environment)``,
    dollars a month beyond which to ``warn`` and to ``refuse``.
    """

    ENVIRONMENTS: Sequence[str]

    def versions(self) -> list[str]: ...
    def published(self) -> Mapping[str, str]: ...
    def digest(self, version: str, /) -> str: ...
    def load(self, version: str, /) -> ParameterSet: ...
    def new(self, version: str, source: str | None, /) -> Path: ...
    def publish(self, version: str, /) -> str: ...
    def diff(self, before: Any, after: Any, /) -> Sequence[Change]: ...
    def explain(self, parameters: Any, environment: str, path: str, /) -> Explanation: ...
    def schema(self) -> str: ...


def has_parameters(project: Project) -> bool:
    """Whether the project has parameter sets."""
    return _file_of(project).is_file()


def gates_of(project: Project, environment: str, version: str | None) -> Gates | None:
    """The gates of an environment; None where the project has none. Raises BadInput where they cannot be told."""
    module = parameters_of(project)
    if not hasattr(module, "gates") or environment not in module.ENVIRONMENTS:
        return None
    if version is None:
        raise BadInput(f"{environment} pins no version of the parameters, so nobody can tell who may run it; pin one")
    with told():
        return cast(Gates, module.gates(module.load(version), environment))


def budget_of(project: Project, environment: str, version: str | None) -> Mapping[str, int]:
    """What an environment may cost a month, in dollars: ``warn`` and ``refuse``, each where the project says so.

    Raises BadInput where its parameters cannot be read.
    """
    module = parameters_of(project) if version is not None and has_parameters(project) else None
    if module is None or version is None or not hasattr(module, "budget") or environment not in module.ENVIRONMENTS:
        return {}
    with told():
        return cast(Mapping[str, int], module.budget(module.load(version), environment))


def restricted(project: Project, stack: str, config: Mapping[str, str]) -> str | None:
    """The environment that a stack is and that only some may run: by its name, by what its configuration says it is, or by the
    columns of tables that this takes; None for any other. Raises Refused where these are several."""
    if not has_parameters(project):
        return None
    known = getattr(parameters_of(project), "RESTRICTED", ())
    names = (stack, config.get(ENVIRONMENT_KEY, ""), *_columns(config.get(COLUMNS_KEY, "")))
    found = dict.fromkeys(name for name in names if name in known)
    if len(found) > 1:
        raise Refused(f"stack {stack} is {' and '.join(found)} at once, by its name and its configuration; make it one of them")
    return next(iter(found), None)


def _columns(text: str) -> list[str]:
    """The environments whose columns are forced on tables: one for all, or one for each."""
    try:
        said = json.loads(text) if text else None
    except ValueError:
        said = text
    return [str(one) for one in (said.values() if isinstance(said, dict) else [said])]


def parameters_of(project: Project) -> ParametersModule:
    """The project's module, imported from its own files. Raises BadInput where there is none, or it cannot be imported."""
    file = _file_of(project)
    folder = file.parent
    if not file.is_file():
        raise BadInput(f"{project.name} has no parameter sets; what they are, a module {project.relative(file)} would say")
    package = (folder / "__init__.py").is_file()
    name = f"{folder.name}.parameters" if package else "parameters"
    _forget_others(name.partition(".")[0], folder)
    path = list(sys.path)
    sys.path[:0] = [str(folder.parent if package else folder)]
    importlib.invalidate_caches()
    try:
        with stdout_kept():
            return cast(ParametersModule, importlib.import_module(name))
    except Exception as error:
        text = " ".join(str(error).split())
        raise BadInput(f"{project.relative(file)} cannot be imported: {type(error).__name__}: {text}") from error
    finally:
        sys.path[:] = path


def _file_of(project: Project) -> Path:
    folder = project.main if project.main.is_dir() else project.main.parent
    return folder / "parameters.py"


def _forget_others(name: str, folder: Path) -> None:
    """Drop modules of this name that are another project's; this process may have imported them before."""
    for key, module in list(sys.modules.items()):
        if key.partition(".")[0] == name and not Path(getattr(module, "__file__", None) or "").is_relative_to(folder):
            del sys.modules[key]


def pins(project: Project) -> dict[str, str]:
    """The version that each environment's file pins, for those that pin one. Raises BadInput for a broken file."""
    from isostack.engine.project import known_stacks, pinned_version

    pinned = {stack: pinned_version(project, stack) for stack in known_stacks(project)}
    return {stack: version for stack, version in pinned.items() if version is not None}


def newest_pinned(project: Project) -> str:
    """The newest version that an environment pins. Raises BadInput where none pins any."""
    pinned = set(pins(project).values())
    with told():
        ordered = [version for version in parameters_of(project).versions() if version in pinned]
    if not ordered:
        raise BadInput(f"{project.name}: no environment pins a version of the parameters that is there; name one with --version")
    return ordered[-1]


@contextmanager
def told() -> Iterator[None]:
    """The module's errors for people as ours: BadInput or Refused, by their ``exit_code``."""
    try:
        yield
    except Exception as error:
        kind = {kind.exit_code: kind for kind in (BadInput, Refused)}.get(getattr(error, "exit_code", None) or 0)
        if kind is None or isinstance(error, kind):
            raise
        raise kind(str(error)) from error


def problems(module: ParametersModule, versions: Sequence[str], pinned: Mapping[str, str]) -> list[BadInput | Refused]:
    """All that is wrong with these versions, and with what environments pin."""
    found: list[BadInput | Refused] = []
    for version in versions:
        try:
            with told():
                module.load(version)
        except (BadInput, Refused) as error:
            found.append(error)
    with told():
        published = module.published()
    for environment, version in pinned.items():
        if version not in published:
            mend = f"publish it: isostack parameters publish {version}"
            found.append(BadInput(f"{environment} pins version {version}, which is not published; {mend}"))
    return found
