"""EC2's managed prefix lists."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

CASES = [
    Case(
        token="aws:ec2/managedPrefixList:ManagedPrefixList",
        inputs={
            "addressFamily": "IPv4",
            "maxEntries": 3,
            "entries": [{"cidr": "203.0.113.0/24", "description": "office"}, {"cidr": "198.51.100.7/32"}],
            "tags": {"a": "1"},
        },
        update={
            "name": "partners",
            "maxEntries": 4,
            "entries": [
                {"cidr": "203.0.113.0/24", "description": "headquarters"},
                {"cidr": "192.0.2.0/28", "description": "partner"},
                {"cidr": "192.0.2.16/28"},
                {"cidr": "192.0.2.32/28"},
            ],
            "tags": {"a": "2"},
        },
        replace={"addressFamily": "IPv6", "entries": [{"cidr": "2001:db8::/56"}]},
        expect={"arn": str, "ownerId": str, "version": 1, "name": str},
    ),
    Case(
        token="aws:ec2/managedPrefixList:ManagedPrefixList",
        name="empty",
        inputs={"name": "empty", "addressFamily": "IPv4", "maxEntries": 1},
        update={"entries": [{"cidr": "192.0.2.0/28"}]},
    ),
    Case(
        token="aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry",
        needs={
            "list": Need("aws:ec2/managedPrefixList:ManagedPrefixList", {"addressFamily": "IPv4", "maxEntries": 2, "name": "l"}),
        },
        inputs={"prefixListId": Ref("list", "id"), "cidr": "203.0.113.0/24", "description": "office"},
        replace={"cidr": "198.51.100.0/24"},
    ),
]
