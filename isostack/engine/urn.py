"""URNs, the names by which Pulumi tells resources apart: ``urn:pulumi:STACK::PROJECT::PARENT$TYPES$TYPE::NAME``.

Pure text. A resource's name may contain anything, ``::`` and spaces included, because it comes last; the other parts
may not contain ``::``, and none of them is checked further, as Pulumi checks none of them further either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from isostack.errors import BadInput

PREFIX: Final = "urn:pulumi:"
DELIMITER: Final = "::"
TYPE_DELIMITER: Final = "$"
ROOT_STACK_TYPE: Final = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True)
class Urn:
    """A URN in its parts; ``str()`` gives it back. ``qualified_type`` has the parents' types before the last ``$``."""

    stack: str
    project: str
    qualified_type: str
    name: str

    @property
    def type(self) -> str:
        """The resource's own type, without those of its parents."""
        return self.qualified_type.rpartition(TYPE_DELIMITER)[2]

    def __str__(self) -> str:
        return PREFIX + DELIMITER.join((self.stack, self.project, self.qualified_type, self.name))


def make(stack: str, project: str, parent_type: str, type_: str, name: str) -> str:
    """The URN of a resource. ``parent_type`` is its parent's *qualified* type, or ``""``; the root stack's is left out.

    Raises BadInput where the stack, the project or a type could not be told from what follows it.
    """
    qualified = f"{parent_type}{TYPE_DELIMITER}{type_}" if parent_type not in ("", ROOT_STACK_TYPE) else type_
    for what, part in (("stack name", stack), ("project name", project), ("type", qualified)):
        if DELIMITER in part or part.endswith(":"):
            raise BadInput(f"the {what} {part!r} cannot stand in a URN: it contains '::' or ends with ':'; rename it")
    return str(Urn(stack, project, qualified, name))


def parse(urn: str) -> Urn:
    """The parts of a URN. Raises BadInput where the text is none."""
    parts = urn.removeprefix(PREFIX).split(DELIMITER, 3)
    if not urn.startswith(PREFIX) or len(parts) < 4:
        raise BadInput(f"{urn!r} is not a URN; one reads {PREFIX}STACK::PROJECT::TYPE::NAME")
    return Urn(*parts)


def type_of(urn: str) -> str:
    """The resource's own type, such as ``aws:sqs/queue:Queue``."""
    return parse(urn).type


def short_type(type_: str) -> str:
    """A type as Pulumi shows it: ``aws:sqs/queue:Queue`` as ``aws:sqs:Queue``."""
    package, _, rest = type_.partition(":")
    module, _, name = rest.partition(":")
    return f"{package}:{module.partition('/')[0]}:{name}" if name else type_


def qualified_type(urn: str) -> str:
    """The resource's type with those of its parents before it, each followed by ``$``."""
    return parse(urn).qualified_type


def name_of(urn: str) -> str:
    """The name that the program gave to the resource."""
    return parse(urn).name
