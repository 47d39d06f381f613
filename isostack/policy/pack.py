"""Loads a Python policy pack from its folder, as a value.

Owns what Pulumi's language host does around a pack: ``PulumiPolicy.yaml``, ``main``, working directory, module path, environment,
and what ``PolicyPack(...)`` does. That one starts a server in the real world and never returns; here it ends the pack's program,
and what it was given is the pack. How its policies are configured is :mod:`isostack.policy.configuration`'s, how they are asked
:mod:`isostack.policy.analyzer`'s.
"""

from __future__ import annotations

import contextvars
import json
import os
import runpy
import sys
import traceback
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi_policy
from pulumi_policy import EnforcementLevel, Policy, PolicyPack

from isostack.engine.project_file import read, shown
from isostack.errors import BadInput, Refused
from isostack.policy.attach import PACK_FILE, pack_file

if TYPE_CHECKING:
    from isostack.engine.project import StackConfig

RULES = "RULES"
"""What a module of a pack calls its rules, where they are values with more to tell than a policy has (see docs/policies.md)."""
_OF_A_RULE = ("name", "area", "severity", "levels", "ids", "title", "why", "mend", "example")
# What Pulumi says where PulumiPolicy.yaml has no version.
_NO_VERSION = "0.0.1"


@dataclass(frozen=True)
class Surroundings:
    """What a pack may ask Pulumi's SDK about the stack that it judges."""

    project: str
    stack: str
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_keys: frozenset[str] = frozenset()

    @classmethod
    def of(cls, project: str, config: StackConfig) -> Surroundings:
        return cls(project, config.stack, config.values, config.secret_keys)

    def context(self, *, preview: bool) -> contextvars.Context:
        """A context in which the SDK knows the stack and its configuration, and whether this is a preview."""
        context = contextvars.copy_context()
        context.run(self._configure, preview)
        return context

    def _configure(self, preview: bool) -> None:
        from pulumi.runtime import config, settings

        known = settings.Settings(project=self.project, stack=self.stack, organization="organization", dry_run=preview)
        settings.configure(known)
        config.set_all_config(dict(self.config), list(self.secret_keys))

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that a pack starts with."""
        return {
            "PULUMI_ORGANIZATION": "organization",
            "PULUMI_PROJECT": self.project,
            "PULUMI_STACK": self.stack,
            "PULUMI_DRY_RUN": "true",
            "PULUMI_CONFIG": json.dumps(dict(self.config)),
        }


@dataclass(frozen=True)
class Pack:
    """A policy pack. ``rules`` are the values that its policies were made of, where it has such; by the rule's name."""

    name: str
    version: str
    folder: Path
    description: str
    policies: tuple[Policy, ...]
    level: EnforcementLevel
    initial_config: Mapping[str, EnforcementLevel | Mapping[str, Any]]
    rules: Mapping[str, Any]

    @property
    def title(self) -> str:
        """As Pulumi shows it: ``name@v1.2.3``."""
        return f"{self.name}@v{self.version}"


def load(folder: Path, surroundings: Surroundings) -> Pack:
    """Run the pack's program and take what it gives to ``PolicyPack``.

    Raises BadInput where there is no pack or it is broken, and Refused where it is not one in Python.
    """
    file = pack_file(folder)
    if file is None:
        raise BadInput(f"policy pack {shown(folder)}: there is no {PACK_FILE}.yaml in it")
    said = read(file)
    runtime = said.get("runtime")
    runtime = runtime.get("name") if isinstance(runtime, dict) else runtime
    if runtime != "python":
        raise Refused(
            f"{shown(file)}: runtime {runtime!r}; the embedded engine runs policy packs in Python alone: "
            "use the Pulumi CLI for this one"
        )
    main = folder / str(said.get("main") or "")
    program = main / "__main__.py" if main.is_dir() else main
    if not program.is_file():
        raise BadInput(f"policy pack {shown(folder)}: there is no program {shown(program)}; write it, or set 'main'")
    before = set(sys.modules)
    given = surroundings.context(preview=True).run(_run, program, folder, surroundings)
    rules = _rules(folder)
    _forget(sys.modules.keys() - before, {program.parent, folder})
    description = given.get("description") or said.get("description") or ""
    return Pack(
        name=given["name"],
        version=str(said.get("version") or _NO_VERSION),
        folder=folder,
        description=str(description),
        policies=tuple(given["policies"]),
        level=given.get("enforcement_level") or EnforcementLevel.ADVISORY,
        initial_config=given.get("initial_config") or {},
        rules=rules,
    )


class _Collected(BaseException):
    """Ends a pack's program where it builds its PolicyPack, as the real one does by never returning."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__()
        self.given = given


def _run(program: Path, folder: Path, surroundings: Surroundings) -> dict[str, Any]:
    label = f"policy pack {shown(folder)}"
    try:
        with _around(program, folder, surroundings):
            runpy.run_path(str(program), run_name="__main__")
    except _Collected as collected:
        return _checked(collected.given, label)
    except (Exception, SystemExit) as error:
        raise BadInput(f"{label}: {where(error, folder)}{type(error).__name__}: {one_line(error)}{_advice(error)}") from error
    raise BadInput(f"{label}: {shown(program)} ran to its end and built no PolicyPack")


@contextmanager
def _around(program: Path, folder: Path, surroundings: Surroundings) -> Iterator[None]:
    """The pack's folder as working directory and on the path, its environment, and a PolicyPack that collects.

    The folder stays at the end of the path, for what policies import when they are asked.
    """
    directory, environment, arguments = Path.cwd(), dict(os.environ), sys.argv
    init = PolicyPack.__init__
    places = list(dict.fromkeys((str(program.parent), str(folder))))

    def collect(self: PolicyPack, *positional: Any, **named: Any) -> None:
        names = ("name", "policies", "enforcement_level", "initial_config", "description")
        raise _Collected({**dict(zip(names, positional, strict=False)), **named})

    # In place of the method and not of the class, so that it is found by whatever way the class is imported.
    setattr(PolicyPack, "__init__", collect)  # noqa: B010 - mypy takes no assignment to a method
    sys.path[:0] = places
    os.environ.update(surroundings.environment)
    os.chdir(folder)
    sys.argv = [str(program)]
    try:
        yield
    finally:
        sys.argv = arguments
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        for place in places:
            sys.path.remove(place)
        sys.path += [place for place in places if place not in sys.path]
        setattr(PolicyPack, "__init__", init)  # noqa: B010 - as above


def _checked(given: dict[str, Any], label: str) -> dict[str, Any]:
    policies = given.get("policies")
    if not given.get("name") or not isinstance(given["name"], str):
        raise BadInput(f"{label}: its PolicyPack has no name")
    if not isinstance(policies, list) or not policies or not all(isinstance(policy, Policy) for policy in policies):
        raise BadInput(f"{label}: the policies of {given['name']} are no list of policies")
    names = [policy.name for policy in policies]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{label}: {given['name']} has several policies of the name {', '.join(doubled)}; give each its own")
    return given


def _rules(folder: Path) -> dict[str, Any]:
    """The rules of a pack's modules, by name, in their order; a module that gathers others' has the say in it."""
    inside = f"{folder}{os.sep}"
    found = [
        rules
        for module in list(sys.modules.values())
        if str(getattr(module, "__file__", None) or "").startswith(inside)
        and isinstance(rules := getattr(module, RULES, None), (tuple, list))
        and all(hasattr(rule, name) for rule in rules for name in _OF_A_RULE)
    ]
    return {rule.name: rule for rules in sorted(found, key=len, reverse=True) for rule in rules}


def _forget(names: Iterable[str], places: Container[Path]) -> None:
    """Drop the modules that were found on the pack's own path: the program, or another pack, may have some of these names."""
    for name in [name for name in names if _root(name) in places]:
        del sys.modules[name]


def _root(name: str) -> Path | None:
    """The folder on the path in which a module, or the package that it belongs to, was found."""
    file = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
    if not file:
        return None
    found = Path(file)
    return found.parent.parent if found.name == "__init__.py" else found.parent


def where(error: BaseException, folder: Path) -> str:
    """File and line of the innermost frame that belongs to the pack, as ``file:line: ``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(folder) and not {"site-packages", ".venv"}.intersection(path.parts):
            return f"{path.relative_to(folder)}:{frame.lineno}: "
    return ""


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no message"


def _advice(error: BaseException) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return ""
    name = (error.name or "").partition(".")[0].replace("_", "-")
    return f"; packs run in isostack's own interpreter: {sys.executable} -m pip install {name}"


def not_applicable() -> type[Exception]:
    """What a policy raises to say that it does not apply; pulumi_policy has no public name for it."""
    try:
        pulumi_policy.StackValidationArgs([]).not_applicable()
    except Exception as error:  # noqa: BLE001 - its type is what is asked for
        return type(error)
    raise TypeError("not_applicable raised nothing")
