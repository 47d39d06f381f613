"""What moto 5.2.5 gets wrong and a program would notice, mended: one named function each.

Runs inside the local cloud's process, when moto has loaded a service's modules. Bucket policies and databases, which need more
than a few lines, have modules of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any


def mend_what_is_loaded() -> None:
    """Mend each service whose modules moto has loaded, once."""
    for module, mends in _MENDS.items():
        if module in sys.modules:
            for mend in mends:
                mend()


@cache
def _resize_prefix_lists() -> None:
    """moto ignores a new size."""
    from moto.ec2.responses.vpcs import VPCs

    modify = VPCs.modify_managed_prefix_list

    def modify_and_resize(self: Any) -> Any:
        answer = modify(self)
        if size := self._get_param("MaxEntries"):
            self.ec2_backend.managed_prefix_lists[self._get_param("PrefixListId")].max_entries = int(size)
        return answer

    VPCs.modify_managed_prefix_list = modify_and_resize  # type: ignore[method-assign]  # that is what mends it


@cache
def _forget_deleted_prefix_lists() -> None:
    """moto shows a deleted list until it has been described twice, and breaks down over one that it does not know."""
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend

    def delete(self: Any, prefix_list_id: str) -> Any:
        if prefix_list_id not in self.managed_prefix_lists:
            message = f"The prefix list ID '{prefix_list_id}' does not exist"
            raise EC2ClientError("InvalidPrefixListID.NotFound", message)
        deleted = self.managed_prefix_lists.pop(prefix_list_id)
        deleted.state = "delete-complete"
        return deleted

    ManagedPrefixListBackend.delete_managed_prefix_list = delete  # type: ignore[method-assign]  # that is what mends it


_MENDS: dict[str, tuple[Callable[[], None], ...]] = {
    "moto.ec2.models": (_resize_prefix_lists, _forget_deleted_prefix_lists),
}
