"""What all components share: type token, child names, tags, parentage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


class Component(pulumi.ComponentResource):
    """A component named ``isostack:<module>:<Class>``, whose children are named after it and tagged alike.

    The caller's options go to the component alone: merged into a child's, a caller's ``parent`` would win over ours.
    """

    def __init__(self, name: str, tags: Mapping[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        module = type(self).__module__.rpartition(".")[2]
        super().__init__(f"isostack:{module}:{type(self).__name__}", name, None, opts)
        self.name = name
        self.tags = dict(tags)

    def child(self, role: str) -> str:
        """The logical name of the child with this role."""
        return f"{self.name}-{role}"

    def options(self, **options: Any) -> pulumi.ResourceOptions:
        """The options of a child."""
        return pulumi.ResourceOptions(parent=self, **options)

    def named(self, role: str) -> dict[str, str]:
        """The tags of a child, with the name that the AWS console shows."""
        return {**self.tags, "Name": self.child(role)}
