"""Parameter sets: what people edit. One document a version; a published version never changes.

Owns reading and validating the document, offline. What is built from it is :mod:`stacks.program`'s.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

FOLDER = Path(__file__).parent / "parameter_sets"
ENVIRONMENTS = ("dev", "integration", "staging", "production")


class ParameterError(ValueError):
    """A parameter set that cannot be used: what, where, and how to mend it. ``exit_code`` is that of bad input."""

    exit_code = 2


def _network(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError as error:
        raise ValueError(f"{error}; write a network such as 10.0.0.0/16") from None
    return text


Cidr = Annotated[str, AfterValidator(_network)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Values(_Model):
    """The values of one environment."""

    cidr: Cidr
    allowed_cidrs: tuple[Cidr, ...]
    image: str
    cpu: Literal[256, 512, 1024, 2048, 4096]
    memory: int = Field(ge=512)
    count: int = Field(ge=1)
    port: int = Field(ge=1, le=65535)
    health_path: str = Field(pattern="^/")
    log_days: int
    engine_version: str
    instance_class: str = Field(pattern=r"^db\.")
    storage_gb: int = Field(ge=20)
    backup_days: int = Field(ge=0, le=35)
    multi_az: bool
    visibility_timeout_seconds: int = Field(ge=0, le=43200)
    max_receives: int = Field(ge=1, le=1000)


class ParameterSet(_Model):
    """A version of all parameters: facts that hold everywhere, and the values of each environment."""

    version: str
    name: str = Field(pattern="^[a-z][a-z0-9-]{1,12}$")
    region: str
    zones: tuple[str, ...] = Field(min_length=2)
    environments: dict[str, Values]

    def of(self, environment: str) -> Values:
        """The values of an environment."""
        if environment not in self.environments:
            known = ", ".join(self.environments)
            raise ParameterError(f"no environment {environment!r} in parameter set {self.version}; there are {known}")
        return self.environments[environment]


def versions() -> list[str]:
    """The published versions, oldest first."""
    return sorted((path.stem for path in FOLDER.glob("*.yaml")), key=lambda v: [int(part) for part in v.split(".")])


def load(version: str) -> ParameterSet:
    """The parameter set of a version. A field is one value for all, or a table with one for each environment."""
    path = FOLDER / f"{version}.yaml"
    if not path.is_file():
        raise ParameterError(f"no parameter set {version!r} in {FOLDER.name}/; there are {', '.join(versions())}")
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ParameterError(f"{path.name}: {' '.join(str(error).split())}") from None
    shared = document.pop("values", {})
    environments = {name: {key: _for(name, value) for key, value in shared.items()} for name in ENVIRONMENTS}
    try:
        return ParameterSet.model_validate(_tuples({**document, "version": version, "environments": environments}))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ParameterError(f"{path.name}: {problems}") from None


def digest(version: str) -> str:
    """A digest of the document's content."""
    return hashlib.sha256((FOLDER / f"{version}.yaml").read_bytes()).hexdigest()


def _for(environment: str, value: Any) -> Any:
    if isinstance(value, dict) and set(value) == set(ENVIRONMENTS):
        return value[environment]
    return value


def _tuples(value: Any) -> Any:
    """Lists as tuples, which strict validation of frozen models asks for."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
