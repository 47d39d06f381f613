"""What is known of each playground beside its state: whose it is, until when, and what a removed one left to come back from.

Owns the files: ``playgrounds/<name>/playground.json``, ``playgrounds/tombstones.jsonl``, ``playgrounds/places``,
``playgrounds/marks`` and ``playgrounds/salt.json`` in the state folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from isostack.engine.files import make_folder, write_whole
from isostack.errors import BadInput
from isostack.playground.containers import Containers

DEFAULT_LIFETIME = timedelta(hours=8)
LONGEST_LIFETIME = timedelta(hours=72)
WARN_BEFORE = timedelta(minutes=30)


def now() -> datetime:
    """The present, in whole seconds of UTC."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Record:
    """A playground: times in UTC, as ISO 8601 texts. ``parameters`` is the version that it was made from.

    ``containers`` is there where its services run in some.
    """

    name: str
    project: str
    owner: str
    created: str
    expires: str
    parameters: str = ""
    containers: Containers | None = None

    @classmethod
    def read(cls, document: Any) -> Record:
        """A record as its file has it. Raises TypeError for another document."""
        if not isinstance(document, dict):
            raise TypeError("a record is an object")
        containers = document.get("containers")
        return cls(**{**document, "containers": Containers(**containers) if containers else None})

    @property
    def remaining(self) -> timedelta:
        """How long it has to live; negative where its time is over."""
        return datetime.fromisoformat(self.expires) - now()

    @property
    def age(self) -> timedelta:
        return now() - datetime.fromisoformat(self.created)

    def until(self, expires: datetime) -> Record:
        return replace(self, expires=expires.isoformat())


class Records:
    """The playgrounds of one state folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "playgrounds"

    def of(self, name: str) -> Path:
        """The folder of a playground, which need not exist."""
        return self.folder / name

    def get(self, name: str) -> Record | None:
        """A playground's record; None where there is none, or one that cannot be read."""
        with suppress(OSError, ValueError, TypeError):
            return Record.read(json.loads((self.of(name) / "playground.json").read_text()))
        return None

    def all(self) -> list[Record]:
        found = (self.get(path.parent.name) for path in sorted(self.folder.glob("*/playground.json")))
        return [record for record in found if record]

    def keep(self, record: Record) -> None:
        make_folder(self.of(record.name))
        write_whole(self.of(record.name) / "playground.json", json.dumps(asdict(record), indent=2).encode())

    def remove(self, record: Record, **facts: Any) -> None:
        """Forget a playground, but for a line that says what was removed and its snapshots."""
        with suppress(FileNotFoundError):
            (self.of(record.name) / "playground.json").unlink()
        with suppress(OSError):
            self.of(record.name).rmdir()  # nothing is left to come back from
        make_folder(self.folder)
        line = json.dumps({**asdict(record), "removed": now().isoformat(), **facts})
        with (self.folder / "tombstones.jsonl").open("a") as file:
            file.write(line + "\n")

    def tombstones(self) -> Iterator[dict[str, Any]]:
        """What has been removed, oldest first."""
        with suppress(FileNotFoundError):
            for line in (self.folder / "tombstones.jsonl").read_text().splitlines():
                with suppress(ValueError):
                    yield json.loads(line)

    def places(self) -> set[tuple[str, str]]:
        """The accounts and regions in which there ever was a playground, whatever became of its state."""
        with suppress(FileNotFoundError):
            lines = (self.folder / "places").read_text().splitlines()
            return {(account, region) for account, slash, region in (line.partition("/") for line in lines) if slash}
        return set()

    def add_places(self, places: Iterable[tuple[str, str]]) -> None:
        new = sorted(set(places) - self.places())
        with (self.folder / "places").open("a") as file:
            file.writelines(f"{account}/{region}\n" for account, region in new)

    def marks(self) -> set[str]:
        """The marks that containers of playgrounds bear, or ever bore, whatever became of their records."""
        found = {record.containers.mark for record in self.all() if record.containers}
        found |= {str((gone.get("containers") or {}).get("mark") or "") for gone in self.tombstones()}
        return (found | self._kept_marks()) - {""}

    def add_mark(self, mark: str) -> None:
        if mark not in self._kept_marks():
            with (self.folder / "marks").open("a") as file:
                file.write(f"{mark}\n")

    def _kept_marks(self) -> set[str]:
        with suppress(FileNotFoundError):
            return set((self.folder / "marks").read_text().splitlines())
        return set()

    def salt(self) -> dict[str, str]:
        """The salt of the playgrounds' secrets, ``{"salt": ...}``; empty where there is none yet.

        One for all, because a key is derived for each, which takes a quarter of a second.
        """
        with suppress(OSError, ValueError):
            return {"salt": str(json.loads((self.folder / "salt.json").read_text())["salt"])}
        return {}

    def keep_salt(self, salt: Mapping[str, str]) -> None:
        if salt and not self.salt():
            write_whole(self.folder / "salt.json", json.dumps(dict(salt)).encode())


def lifetime(text: str, longest: timedelta) -> timedelta:
    """A lifetime as people write it (``90m``, ``8h``, ``2d``). Raises BadInput where it is none, or too long for anyone."""
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if not match:
        raise BadInput(f"{text!r} is no lifetime; write a number with m, h or d, such as 8h")
    asked = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})
    if asked > longest:
        raise BadInput(f"{text} is longer than a playground may live; at most {shown(longest)}, for everyone (extend it later)")
    return asked


def shown(span: timedelta) -> str:
    """A span of time in its two largest units, such as ``2 d 3 h`` or ``25 min``."""
    minutes = max(0, int(span.total_seconds()) // 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes and not days else ""]
    return " ".join(part for part in parts if part) or "less than a minute"
