"""botocore's data files, which say what the calls of a service are: found and parsed faster than botocore does by itself.

Owns nothing of what is in them. Imported only where a client is made, since it imports botocore.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader


class Models(Loader):  # type: ignore[misc]  # botocore has no types
    """The files that come with botocore, and no others."""

    def __init__(self) -> None:
        super().__init__(extra_search_paths=[self.BUILTIN_DATA_PATH], file_loader=DataFiles(), include_default_search_paths=False)

    def list_available_services(self, type_name: str) -> list[str]:
        """Every service. Botocore's own looks into all 400 folders for a file of this type, to open one."""
        return [folder.name for folder in Path(self.BUILTIN_DATA_PATH).iterdir()]


class DataFiles(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Plain dictionaries, whose order botocore's OrderedDict was for, in half the time."""

    def load_file(self, file_path: str) -> Any:
        """The content of a file, whose path has no ending; None where there is none."""
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            try:
                with opened(f"{file_path}{ending}", "rb") as file:
                    return json.loads(file.read())
            except FileNotFoundError:
                continue
        return None
