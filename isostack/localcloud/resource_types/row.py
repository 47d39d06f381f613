"""What a row of the table says: one AWS resource type (or function) as keyword-only data and the functions it points at.

The rows own the translation between Terraform-style properties, spelled as on Pulumi's wire (``cidrBlock``), and boto3.
Everything that is the same for all types (automatic names, ``tagsAll``, comparing, reading back, what absence means) is
:mod:`isostack.localcloud.provider`'s. Row modules import neither boto3 nor pulumi.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isostack.engine.provider import Diff
    from isostack.localcloud.client import Cloud

Properties = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class AutoName:
    """The property that gets an automatic name where the program gives none: the logical name, ``-`` and seven hex digits."""

    property: str = "name"
    max_length: int = 255
    lower: bool = False
    prefix: str = ""
    """What AWS demands at the beginning of the name, such as ``alias/``."""
    suffix: Callable[[Properties], str] | None = None
    """What AWS demands at the end of the name, such as ``.fifo``; from the inputs."""
    exact: bool = False
    """The logical name as it is, without digits."""
    unless: tuple[str, ...] = ("namePrefix",)
    """Properties that take the automatic name's place; a ``…Prefix`` gets random digits appended by check."""


@dataclass(frozen=True)
class Created:
    """What a create gives: the id, and the outputs where AWS's answer holds them all (else they are read back)."""

    id: str
    outputs: Properties | None = None


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type.

    ``create(cloud, inputs)`` gives the id, or :class:`Created`. ``read(cloud, id, known)`` gives the outputs or None; ``known``
    is what the state knows (outputs over inputs; empty for an import). ``update(cloud, id, old, new, changed)`` gets the old
    outputs, the new inputs and the set of changed top-level properties; the outputs are read back afterwards.
    ``delete(cloud, id, known)``. ``find(cloud, inputs)`` gives the ids of existing things that match what a create with these
    inputs would have made (by name, else by content and tags). Functions let ``ClientError`` rise.
    """

    token: str
    service: str
    create: Callable[[Cloud, Properties], str | Created]
    read: Callable[[Cloud, str, Properties], Properties | None]
    delete: Callable[[Cloud, str, Properties], None]
    update: Callable[[Cloud, str, Properties, Properties, set[str]], None] | None = None
    """None: every change replaces."""
    find: Callable[[Cloud, Properties], list[str]] | None = None
    """None: ``read`` with the automatic name's property as the id."""
    required: tuple[str, ...] = ()
    replace_on: tuple[str, ...] = ()
    """Top-level properties whose change forces a replacement ("Forces new resource" in Terraform)."""
    computed: tuple[str, ...] = ()
    """Outputs that are never inputs. A dotted path is one inside a list of blocks: ``ports.external``."""
    sticky: tuple[str, ...] = ()
    """Optional and computed in Terraform's terms: leaving such an input out changes nothing."""
    local: tuple[str, ...] = ()
    """Inputs that AWS does not give back (passwords, ``forceDestroy``): outputs repeat the inputs."""
    overridden: tuple[str, ...] = ()
    """Inputs that the local cloud may answer with a value of its own (a port of this machine): never a drift."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of Terraform's schema; they appear among the inputs, listed in ``__defaults``, as Pulumi's bridge does it."""
    name: AutoName | None = None
    tagged: bool = False
    """Whether the type has ``tags`` and ``tagsAll``; rows write and read ``tagsAll`` only."""
    sets: tuple[str, ...] = ()
    """Lists without order. A dotted path reaches into blocks: ``ingress.cidrBlocks``."""
    json_documents: tuple[str, ...] = ()
    """Strings that hold JSON and are compared by content."""
    assets: tuple[str, ...] = ()
    """Inputs that are assets or archives; check adds their hash, by which they are compared."""
    secret_outputs: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    """AWS error codes that mean that the resource is not there. Codes that end in ``NotFound`` mean it anyway."""
    volatile: tuple[str, ...] = ()
    """Outputs that an update may change: unknown at preview when anything changes."""
    delete_before_replace: bool = False
    """Two of it cannot exist side by side."""
    compare: Callable[[Properties, Properties, set[str]], Diff] | None = None
    """Decides instead of ``replace_on`` where a replacement depends on the values."""
    complete: Callable[[Properties], Properties] | None = None
    """Checks the inputs before anything is changed, and may add to them (a digest of files). What is not known yet is
    UNKNOWN. A ProviderError says what is refused."""
    adopts: bool = False
    """Its create overwrites or returns what is there (a policy on a bucket, a membership): a crash leaves nothing to look up."""
    limits: str = ""
    """What it cannot do, for the table of types in the README; each limit is refused by create or update by name."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A look-up (``aws.get_*``): ``call(cloud, arguments)`` gives the result; an argument left out is absent."""

    token: str
    call: Callable[[Cloud, Properties], Properties]
    service: str = ""
    wants_default_tags: bool = False
    """Whether it gets the provider's default tags, as the argument ``defaultTags``."""


def tag_list(tags: Mapping[str, str] | None, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as most AWS calls take them."""
    return [{key: k, value: str(v)} for k, v in (tags or {}).items()]


def tag_map(tags: list[dict[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as properties, without those that AWS itself sets (``aws:…``)."""
    return {tag[key]: tag.get(value, "") for tag in tags or [] if not tag[key].startswith("aws:")}


def tag_changes(old: Properties, new: Properties) -> tuple[dict[str, str], list[str]]:
    """The tags to set and the keys to remove, from the ``tagsAll`` of the old outputs and the new inputs."""
    before, after = old.get("tagsAll") or {}, new.get("tagsAll") or {}
    return {k: v for k, v in after.items() if before.get(k) != v}, [k for k in before if k not in after]
