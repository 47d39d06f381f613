"""What AWS offers, as tables that need no network: instance classes, node types, and the sizes of Fargate's tasks.

The tables tell a slip of the pen from a size that exists. What a region has in stock today, only AWS knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import takewhile

_ARM_7 = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
_ARM_8 = f"{_ARM_7} 24xlarge 48xlarge"
_INTEL_5 = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"
_INTEL_6 = f"{_INTEL_5} 32xlarge"
_BURSTABLE = "micro small medium large xlarge 2xlarge"

# RDS User Guide, "Supported DB engines for DB instance classes", column RDS for PostgreSQL, as of November 2025. Single
# instances of PostgreSQL 13 and later: the classes of Multi-AZ clusters alone (db.c6gd) and db.m4, db.r4, db.t2 are left out.
DATABASE_CLASSES: Mapping[str, str] = {
    "t3": _BURSTABLE,
    "t4g": _BURSTABLE,
    "m5": _INTEL_5,
    "m5d": _INTEL_5,
    "m6g": _ARM_7,
    "m6gd": _ARM_7,
    "m6i": _INTEL_6,
    "m6id": _INTEL_6,
    "m7g": _ARM_7,
    "m7i": f"{_INTEL_5} 48xlarge",
    "m8g": _ARM_8,
    "m8gd": _ARM_8,
    "r5": _INTEL_5,
    "r5b": _INTEL_5,
    "r5d": _INTEL_5,
    "r6g": _ARM_7,
    "r6gd": _ARM_7,
    "r6i": _INTEL_6,
    "r6id": _INTEL_6,
    "r7g": _ARM_7,
    "r7i": f"{_INTEL_5} 48xlarge",
    "r8g": _ARM_8,
    "r8gd": _ARM_8,
    "x2g": _ARM_7,
    "x2idn": "16xlarge 24xlarge 32xlarge",
    "x2iedn": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 24xlarge 32xlarge",
}

# API reference of CreateCacheCluster, CacheNodeType, current generation, as of November 2025. Without
# the oldest families (m4, r4, t2), which newer ones of the same size replace.
CACHE_NODES: Mapping[str, str] = {
    "t3": "micro small medium",
    "t4g": "micro small medium",
    "m5": "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge",
    "m6g": _ARM_7,
    "m7g": _ARM_7,
    "r5": "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge",
    "r6g": _ARM_7,
    "r7g": _ARM_7,
}

# ECS Developer Guide, "Fargate task definition considerations", as of November 2025: CPU units, and which memory in MiB.
_FARGATE: Mapping[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
FARGATE_CPU = tuple(_FARGATE)

# API reference of CloudWatch Logs' PutRetentionPolicy, as of November 2025.
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

# RDS for PostgreSQL release notes, as of November 2025.
POSTGRES_MAJORS = ("13", "14", "15", "16", "17", "18")


def unknown_size(name: str, prefix: str, offered: Mapping[str, str]) -> str | None:
    """Nothing where a name such as ``db.m7g.large`` is offered; the mend where it is not."""
    parts = name.split(".")
    family = parts[1] if len(parts) == 3 else ""
    if parts[0] == prefix and len(parts) == 3 and parts[2] in offered.get(family, "").split():
        return None
    near = {family: offered[family]} if family in offered else offered
    close = get_close_matches(name, list(names(prefix, near)), 5, 0.6)
    if close:
        # People slip at the end of a word more often than at its beginning.
        return f"did you mean {max(close, key=lambda each: _alike(each, name))}?"
    if family in offered:
        return f"{prefix}.{family} has the sizes {offered[family]}"
    return f"write {prefix}.FAMILY.SIZE; the families are {' '.join(offered)}"


def _alike(one: str, other: str) -> int:
    """How many characters the two begin with in common."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def names(prefix: str, offered: Mapping[str, str]) -> Iterator[str]:
    """All names of sizes, such as ``db.m7g.large``."""
    for family, sizes in offered.items():
        yield from (f"{prefix}.{family}.{size}" for size in sizes.split())


def unfit_memory(cpu: int, mebibytes: int) -> str | None:
    """Nothing where Fargate takes the two together; the mend where it does not."""
    choices = _FARGATE[cpu]
    if mebibytes in choices:
        return None
    near = sorted(choices, key=lambda choice: abs(choice - mebibytes))[:3]
    shown = ", ".join(f"{choice // 1024}GiB" if choice % 1024 == 0 else f"{choice}MiB" for choice in sorted(near))
    return f"with cpu {cpu} the nearest are {shown}"
