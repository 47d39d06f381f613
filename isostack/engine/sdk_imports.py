"""Pulumi's SDK and its generated packages, as far as a program uses them.

The ``__init__`` of a generated package such as ``pulumi_aws.ec2`` imports every module beside it, of which a program uses a
few. While a program runs here, such a package imports the module that defines a name when somebody asks for that name. One
whose ``__init__`` holds anything but such imports is left as it is. Of the SDK itself, the parts that few programs use wait
for the first use. Owns nothing of what is in the modules.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import LazyLoader
from pathlib import Path
from types import ModuleType
from typing import Any

_NAME = re.compile(r"pulumi_\w+(\.\w+)+")
_PLAIN = re.compile(r"from \.(\w+) import \*")
_MODULE = re.compile(r"from \. import (\w+)")
_PRELUDE = {"import builtins as _builtins", "from .. import _utilities", "from ... import _utilities", "import typing"}
_EXPORTED = re.compile(r"^__all__ = \[(.*?)\]", re.S | re.M)
_QUOTED = re.compile(r"'(\w+)'")
_ENOUGH = 8192
"""Bytes: ``__all__`` stands before the first class, and is short but in the modules that hold all nested types of a service."""
_SELDOM_USED = {"pulumi.automation", "pulumi.dynamic"}


@contextlib.contextmanager
def seldom_used_later() -> Iterator[None]:
    """Let what the SDK imports meanwhile of itself, for few programs, be loaded at its first use."""
    with _found_by(_Later()):
        yield


@contextlib.contextmanager
def name_by_name() -> Iterator[None]:
    """Load the generated packages that are imported meanwhile name by name."""
    with _found_by(_Finder()):
        yield


@contextlib.contextmanager
def _found_by(finder: MetaPathFinder) -> Iterator[None]:
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Later(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _SELDOM_USED else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not _NAME.fullmatch(name):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.submodule_search_locations is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, eager: SourceFileLoader) -> None:
        self.eager = eager

    def create_module(self, spec: ModuleSpec) -> None:
        """As usual."""

    def exec_module(self, module: ModuleType) -> None:
        exports = _exports(Path(self.eager.path))  # here, since the SDK looks for each of a provider's 240 packages
        if exports is None:
            self.eager.exec_module(module)
        else:
            vars(module)["_exports"] = exports
            module.__class__ = _Package

    def get_source(self, fullname: str) -> str | None:
        """For tracebacks."""
        return self.eager.get_source(fullname)


class _Exports:
    """What an ``__init__`` makes importable: ``names`` with the modules that define them, in the order of the imports;
    ``large`` modules, whose names are not known before they are loaded; and ``modules`` themselves."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.large: list[str] = []
        self.modules: set[str] = set()


def _exports(init: Path) -> _Exports | None:
    """Read an ``__init__``; None where it does more than import what is beside it."""
    exports = _Exports()
    for line in init.read_text().splitlines():
        if not line.strip() or line.startswith("#") or line in _PRELUDE:
            continue
        if module := _MODULE.fullmatch(line):
            exports.modules.add(module[1])
        elif star := _PLAIN.fullmatch(line):
            with (init.parent / f"{star[1]}.py").open() as file:
                exported = _EXPORTED.search(file.read(_ENOUGH))
            if exported is None:
                exports.large.append(star[1])
            else:
                exports.names.update(dict.fromkeys(_QUOTED.findall(exported[1]), star[1]))
        else:
            return None
    return exports


class _Package(ModuleType):
    """A package that finds its names when they are asked for."""

    _exports: _Exports

    def __getattr__(self, name: str) -> Any:
        exports = self._exports
        if name == "__all__":
            return [exported for exported in dir(self) if not exported.startswith("_")]
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name in exports.modules:
            return importlib.import_module(f"{self.__name__}.{name}")
        for module in [exports.names[name]] if name in exports.names else exports.large:
            self._take_over(importlib.import_module(f"{self.__name__}.{module}"))
            if name in vars(self):
                return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """A module that was just imported: its names count for more than its own, which one of them may have too."""
        super().__setattr__(name, value)
        if isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}" and name not in self._exports.modules:
            self._take_over(value)

    def __dir__(self) -> list[str]:
        exports = self._exports
        for module in exports.large:
            importlib.import_module(f"{self.__name__}.{module}")
        return sorted({*vars(self), *exports.names, *exports.modules})

    def _take_over(self, module: ModuleType) -> None:
        exported = getattr(module, "__all__", ())
        vars(self).update({name: getattr(module, name) for name in exported})
