"""What the engine reads before it runs a program: Pulumi.yaml, and a stack's configuration in Pulumi.STACK.yaml.

Both mean what they mean to Pulumi. What only Pulumi's own services can do (other languages, other secrets providers,
environments of Pulumi ESC) is refused by name. How the files are parsed is :mod:`isostack.engine.project_file`'s, what
a ``config:`` block declares is :mod:`isostack.engine.config_schema`'s; decrypting is left to the caller's secrets.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from isostack.engine.config_schema import Declaration, apply_default, full_key, lookup, parse_schema
from isostack.engine.project_file import EXTENSIONS, read, shown, to_text
from isostack.errors import BadInput, Refused

LONGEST_NAME: Final = 100
ENVIRONMENT_KEY: Final = "isostack:environment"
PINNED_KEY: Final = "isostack:parameters"
CLOUD_KEY: Final = "isostack:cloud"
"""Where a stack lives: ``local``, which is the default, or ``aws``."""

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Decrypter(Protocol):
    """What turns the ciphertext of a ``secure:`` value into its text; raises BadInput where it cannot."""

    def decrypt(self, text: str, /) -> str: ...


@dataclass(frozen=True)
class Project:
    """A project file. ``main`` is the folder or file to run, ``stack_config_dir`` the folder of the stacks' files."""

    name: str
    file: Path
    root: Path
    main: Path
    stack_config_dir: Path
    runtime: str = "python"
    runtime_options: Mapping[str, Any] = field(default_factory=dict)
    config: tuple[Declaration, ...] = ()
    description: str = ""
    refresh_first: bool = False
    state: str = ""
    """The address of the bucket that holds the states, where the project names one."""

    def program(self) -> Path:
        """The Python file that runs first. Raises BadInput where ``main`` is a folder without a ``__main__.py``."""
        program = self.main / "__main__.py" if self.main.is_dir() else self.main
        if not program.is_file():
            raise BadInput(f"there is no program {shown(program)}; write it, or set 'main' in {shown(self.file)}")
        return program

    def stack_file(self, stack: str) -> Path:
        """Where the stack's configuration is written, whether it is there or not."""
        return self.stack_config_dir / f"Pulumi.{stack}{self.file.suffix}"

    def relative(self, file: Path) -> str:
        """A file's path as messages show it: from the project's folder where it lies in that."""
        return str(file.relative_to(self.root)) if file.is_relative_to(self.root) else str(file)


@dataclass(frozen=True)
class StackConfig:
    """A stack's configuration for the SDK: full keys and texts (objects as JSON), and which of them are secret.

    ``encryption_salt`` is the stack file's, ``""`` where it has none; the stack's state goes by the same salt.
    """

    stack: str
    file: Path
    values: dict[str, str] = field(repr=False)
    secret_keys: frozenset[str] = frozenset()
    encryption_salt: str = ""


def load_project(directory: Path) -> Project:
    """The project of the directory or of the nearest one above it.

    Raises BadInput where there is none or it is broken, and Refused where its runtime is not Python.
    """
    file = _find(_absolute(directory))
    raw = read(file)
    name = _project_name(raw, file)
    runtime, options = _runtime(raw, file)
    main = file.parent / _text(raw, "main", file)
    if not main.exists():
        raise BadInput(f"{shown(file)}: 'main' names {raw['main']!r}, which is not there; mend the path or create it")
    block, stack_config_dir = _config_block(raw, file)
    declarations, problems = parse_schema(name, block, shown(file))
    _report(problems, f"{shown(file)} has {len(problems)} mistakes in its config")
    return Project(
        name=name,
        file=file,
        root=file.parent,
        main=_absolute(main),
        stack_config_dir=_absolute(file.parent / stack_config_dir),
        runtime=runtime,
        runtime_options=options,
        config=tuple(declarations),
        description=_text(raw, "description", file),
        refresh_first=isinstance(raw.get("options"), dict) and raw["options"].get("refresh") == "always",
        state=_state(raw, file),
    )


def known_stacks(project: Project) -> list[str]:
    """The stacks that have a file, sorted."""
    suffix = project.file.suffix
    found = (path.name for path in project.stack_config_dir.glob(f"Pulumi.*{suffix}") if path.is_file())
    names = (name.removeprefix("Pulumi.").removesuffix(suffix) for name in found)
    return sorted(name for name in names if _NAME.fullmatch(name))


def pinned_version(project: Project, stack: str) -> str | None:
    """The parameter version that the stack's file pins, or None; opens no secret. Raises BadInput for a broken file."""
    file = project.stack_file(check_stack_name(stack))
    config = _full_keys(project, read(file).get("config"), file) if file.exists() else {}
    return to_text(config[PINNED_KEY]) if PINNED_KEY in config else None


def check_stack_name(name: str) -> str:
    """The name, where Pulumi would take it. Raises BadInput where not."""
    if not name or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no stack name: use 1 to {LONGEST_NAME} letters, digits, hyphens, underscores and periods")
    return name


def load_stack(project: Project, stack_name: str, open_secrets: Callable[[Mapping[str, str]], Decrypter]) -> StackConfig:
    """The configuration with which a program runs as this stack; a stack without a file has the project's defaults.

    ``open_secrets`` is called with ``{"salt": ...}``, and only where a value is encrypted. Raises BadInput with all
    missing and unfit values at once, and Refused for what only Pulumi's services offer.
    """
    file = project.stack_file(check_stack_name(stack_name))
    raw = read(file) if file.exists() else _no_file(file, stack_name)
    _refuse_services(raw, file)
    sealed = _full_keys(project, raw.get("config"), file)
    salt = _text(raw, "encryptionsalt", file)
    secret_keys = {key for key, value in sealed.items() if _is_sealed(value)}
    config = _decrypted(sealed, secret_keys, salt, file, open_secrets)
    problems = []
    for declaration in project.config:
        problem = _fit(project, stack_name, declaration, sealed, config)
        if problem:
            problems.append(problem)
        elif declaration.secret:
            secret_keys.add(declaration.key)
    _report(problems, f"the configuration of stack {stack_name!r} has {len(problems)} problems")
    values = {key: to_text(value) for key, value in config.items()}
    return StackConfig(stack_name, file, values, frozenset(secret_keys), salt)


# -- Pulumi.yaml -------------------------------------------------------------------------------------------------------


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links, and Pulumi does not


def _find(directory: Path) -> Path:
    if not directory.is_dir():
        raise BadInput(f"there is no folder {shown(directory)}; name the folder of a Pulumi project")
    for folder in (directory, *directory.parents):
        for extension in EXTENSIONS:
            file = folder / f"Pulumi{extension}"
            with contextlib.suppress(PermissionError):  # a folder above may be closed to us
                if file.is_file():
                    return file
    raise BadInput(f"no Pulumi.yaml in {directory} or above it; go to a Pulumi project, or name one with --cwd")


def _project_name(raw: Mapping[str, Any], file: Path) -> str:
    name = raw.get("name")
    if name is None:
        raise BadInput(f"{shown(file)} has no 'name'; add the line: name: {_suggested_name(file.parent.name)}")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise BadInput(
            f"{shown(file)}: the name {name!r} is no project name: use 1 to {LONGEST_NAME} letters, digits, hyphens,"
            " underscores and periods, in quotes where it looks like a number"
        )
    return name


def _suggested_name(folder: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", folder).strip("-")[:LONGEST_NAME] or "project"


def _runtime(raw: Mapping[str, Any], file: Path) -> tuple[str, Mapping[str, Any]]:
    runtime = raw.get("runtime")
    name, options = (runtime.get("name"), runtime.get("options")) if isinstance(runtime, dict) else (runtime, None)
    if not isinstance(name, str) or not name:
        raise BadInput(f"{shown(file)} does not say what it is written in; add the line: runtime: python")
    if name != "python":
        raise Refused(
            f"{shown(file)}: the embedded engine runs Python programs, not runtime {name!r}; run this project with the Pulumi CLI"
        )
    if not isinstance(options or {}, dict):
        raise BadInput(f"{shown(file)}: the 'options' of the runtime must be a mapping, such as {{virtualenv: .venv}}")
    return name, options or {}


def _config_block(raw: Mapping[str, Any], file: Path) -> tuple[Mapping[str, Any], str]:
    """The declared configuration, and the folder of the stacks' files, which ``config`` named in older projects."""
    block = raw.get("config")
    folder = _text(raw, "stackConfigDir", file)
    if isinstance(block, str):
        if folder:
            raise BadInput(f"{shown(file)}: 'config' and 'stackConfigDir' both name a folder; keep 'stackConfigDir'")
        return {}, block
    if not isinstance(block or {}, dict):
        raise BadInput(f"{shown(file)}: 'config' must be a mapping of keys to their types or values")
    return block or {}, folder


def _state(raw: Mapping[str, Any], file: Path) -> str:
    """``isostack: {state: s3://...}``, a block of ours at the top: Pulumi refuses what it does not know within its own."""
    block = raw.get("isostack") or {}
    if not isinstance(block, dict) or not set(block) <= {"state"}:
        raise BadInput(f"{shown(file)}: 'isostack' must be a mapping, and all that it may have is state: s3://BUCKET/PREFIX")
    address = _text(block, "state", file)
    if address and not address.startswith("s3://"):
        raise BadInput(f"{shown(file)}: the state of 'isostack' must be s3://BUCKET/PREFIX; a folder is named by ISOSTACK_HOME")
    return address


def _text(raw: Mapping[str, Any], key: str, file: Path) -> str:
    value = raw.get(key)
    if not isinstance(value, str | None):
        raise BadInput(f"{shown(file)}: {key!r} must be text, not {to_text(value)}; put it in quotes")
    return value or ""


# -- Pulumi.STACK.yaml -------------------------------------------------------------------------------------------------


def _no_file(file: Path, stack: str) -> dict[str, Any]:
    """Nothing; but a file that Pulumi would overlook for its extension is pointed out."""
    for extension in EXTENSIONS:
        other = file.with_name(f"Pulumi.{stack}{extension}")
        if other.is_file():
            raise BadInput(f"{shown(other)} is not read; rename it to {file.name}, with the project file's extension")
    return {}


def _refuse_services(raw: Mapping[str, Any], file: Path) -> None:
    if raw.get("environment"):
        raise Refused(
            f"{shown(file)}: 'environment' takes values from Pulumi ESC, which the embedded engine does not reach;"
            " write the values under 'config:', or run this stack with the Pulumi CLI"
        )
    provider = raw.get("secretsprovider")
    if provider not in (None, "", "default", "passphrase"):
        raise Refused(
            f"{shown(file)}: the embedded engine cannot open secretsprovider {provider!r}, only 'passphrase'; run this"
            " stack with the Pulumi CLI, or change it: pulumi stack change-secrets-provider passphrase"
        )


def _full_keys(project: Project, block: Any, file: Path) -> dict[str, Any]:
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise BadInput(f"{shown(file)}: 'config' must be a mapping of keys to values")
    result: dict[str, Any] = {}
    problems = []
    for written, value in block.items():
        try:
            key = full_key(project.name, written)
        except ValueError as error:
            problems.append(f"{shown(file)}: {error}")
            continue
        if key in result:
            problems.append(f"{shown(file)}: {key} is given twice, with its namespace and without; keep one")
        result[key] = value
    _report(problems, f"{shown(file)} has {len(problems)} mistakes in its config")
    return result


def _ciphertext(value: Any) -> str | None:
    """What stands in ``{secure: CIPHERTEXT}``, else None."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("secure"), str):
        return str(value["secure"])
    return None


def _is_sealed(value: Any) -> bool:
    """Whether a ``secure:`` value stands anywhere in the value."""
    if _ciphertext(value) is not None:
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_is_sealed, items))


def _decrypted(
    sealed: Mapping[str, Any],
    secret_keys: set[str],
    salt: str,
    file: Path,
    open_secrets: Callable[[Mapping[str, str]], Decrypter],
) -> dict[str, Any]:
    if not secret_keys:
        return dict(sealed)
    if not salt:
        raise Refused(
            f"{shown(file)}: {min(secret_keys)} is encrypted, but there is no 'encryptionsalt', so Pulumi Cloud or"
            " another service holds the key; run: pulumi stack change-secrets-provider passphrase"
        )
    key = ""
    try:
        decrypter = open_secrets({"salt": salt})
        result = {}
        for key, value in sealed.items():
            result[key] = _opened(value, decrypter) if key in secret_keys else value
    except BadInput as error:
        raise BadInput(f"{shown(file)}: {key or 'encryptionsalt'}: {error}") from None
    return result


def _opened(value: Any, decrypter: Decrypter) -> Any:
    ciphertext = _ciphertext(value)
    if ciphertext is not None:
        return decrypter.decrypt(ciphertext)
    if isinstance(value, dict):
        return {key: _opened(item, decrypter) for key, item in value.items()}
    return [_opened(item, decrypter) for item in value] if isinstance(value, list) else value


def _fit(project: Project, stack: str, declaration: Declaration, sealed: Mapping[str, Any], config: dict[str, Any]) -> str:
    """Apply the declaration to the configuration; gives what is wrong, as a line for a person, or ``""``."""
    file = shown(project.stack_file(stack))
    found, value = lookup(config, declaration)
    if not found:
        if declaration.required:
            about = f" ({declaration.description})" if declaration.description else ""
            return f"{declaration.key} has no value{about}; {_mend(stack, declaration, file)}"
        try:
            apply_default(config, declaration)
        except ValueError as error:
            return f"{declaration.key}: {error}; mend it in {file} or {shown(project.file)}"
        file, value = shown(project.file), declaration.default
    is_secret = _is_sealed(lookup(sealed, declaration)[1])
    if declaration.type and declaration.secret and not is_secret:
        return f"{declaration.key} is declared secret but in the clear in {file}; {_mend(stack, declaration, file)}"
    if not declaration.accepts(value):
        but = "" if is_secret else f", not {to_text(value)!r}"
        return f"{declaration.key} in {file} must be of type {declaration.type_name()}{but}; " + _mend(
            stack, declaration, shown(project.stack_file(stack))
        )
    return ""


def _mend(stack: str, declaration: Declaration, file: str) -> str:
    option = "--path " if declaration.path else ""
    if declaration.secret:
        return f"encrypt it: pulumi config set --secret {option}{declaration.written} --stack {stack}"
    sample = f"<{declaration.type_name() or 'value'}>"
    if declaration.path:
        return f"run: pulumi config set {option}{declaration.written} {sample} --stack {stack}"
    return f"write '{declaration.key}: {sample}' under 'config:' in {file}"


def _report(problems: list[str], heading: str) -> None:
    if len(problems) == 1:
        raise BadInput(problems[0])
    if problems:
        raise BadInput("\n  ".join([f"{heading}:", *problems]))
