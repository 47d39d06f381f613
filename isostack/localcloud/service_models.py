"""botocore's data files, which say what the calls of a service are: found, parsed and made into classes faster than botocore
does by itself.

Owns nothing of what is in them. Imported only where a client is made, since it imports botocore.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import botocore
from botocore.client import ClientCreator
from botocore.loaders import JSONFileLoader, Loader


class Models(Loader):  # type: ignore[misc]  # botocore has no types
    """The files that come with botocore, and no others."""

    def __init__(self) -> None:
        super().__init__(extra_search_paths=[self.BUILTIN_DATA_PATH], file_loader=DataFiles(), include_default_search_paths=False)

    def list_available_services(self, type_name: str) -> list[str]:
        """Every service. Botocore's own looks into all 400 folders for a file of this type, to open one."""
        return os.listdir(self.BUILTIN_DATA_PATH)  # noqa: PTH208 - names are all that is wanted


class DataFiles(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Plain dictionaries, whose order botocore's OrderedDict was for, in half the time; and without most
    documentation, which is three quarters of a model. What is left is kept where Python keeps what it has compiled."""

    def load_file(self, file_path: str) -> Any:
        """The content of a file, whose path has no ending; None where there is none."""
        kept = _kept(file_path)
        with suppress(OSError, ValueError):
            if kept.stat().st_mtime > Path(__file__).stat().st_mtime:
                return json.loads(kept.read_bytes())
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            try:
                with opened(f"{file_path}{ending}", "rb") as file:
                    content = json.loads(file.read())
            except FileNotFoundError:
                continue
            if file_path.endswith(f"{os.sep}service-2"):
                # botocore reads the documentation of other parts.
                content |= {part: _without_documentation(content.get(part, {})) for part in ("operations", "shapes")}
                _keep(kept, content)
            return content
        return None


@cache
def make_classes_once() -> None:
    """From now on a service's clients that come of :class:`Models` are of one class. Botocore makes a class of as many functions
    as the service has calls for each client, which is more than half of the time that a further one takes."""
    patched: Any = ClientCreator
    create = patched._create_client_class
    made: dict[str, Any] = {}

    def create_once(self: Any, service_name: str, service_model: Any) -> Any:
        if not isinstance(self._loader, Models):  # a program's own, which may add to its classes
            return create(self, service_name, service_model)
        if service_name not in made:
            made[service_name] = create(self, service_name, service_model)
        return made[service_name]

    patched._create_client_class = create_once


def _kept(file_path: str) -> Path:
    """Where a file's content is kept for the next process; another version of botocore has other files."""
    compiled = Path(cache_from_source(__file__))
    name = "-".join(Path(file_path).parts[-3:])
    return compiled.with_name(f"{compiled.stem}.botocore-{botocore.__version__}-{name}.json")


def _keep(file: Path, content: Any) -> None:
    if sys.dont_write_bytecode:
        return
    part = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # an installation that is read-only, as Python's own cache there
        part.write_text(json.dumps(content, separators=(",", ":")))
        part.replace(file)


def _without_documentation(content: Any) -> Any:
    if isinstance(content, dict):
        # A structure may have a member of this name, which is no text.
        return {k: _without_documentation(v) for k, v in content.items() if k != "documentation" or not isinstance(v, str)}
    if isinstance(content, list):
        return [_without_documentation(item) for item in content]
    return content
