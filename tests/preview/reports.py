"""Reports made by hand, and names that mean harm."""

from __future__ import annotations

from collections.abc import Iterator

from isostack.preview.report import (
    Environment,
    Finding,
    Node,
    ParameterChange,
    PropertyChange,
    Report,
    ResourceChange,
    Widening,
)

ENVIRONMENTS = ("dev", "integration", "staging", "production")
QUEUE, DATABASE = "aws:sqs/queue:Queue", "aws:rds/instance:Instance"
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "</code></summary></details><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)> 'quoted'",
    "```\n</details>\n# A heading\n| a | table |\n```",
    "`ticks` ``more`` ~~~ $math$ **bold** _it_ [link](https://example.com) ![i](https://example.com/i.png)",
    "@everyone #1 GH-1 https://example.com www.example.com a@example.com :tada:",
    "\u202egnp.exe \u2066hidden\u2069 مرحبا שלום",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; \x00\x1b[31m\u2028",
    "x" * 5000,
)


def queue(name: str = "shop-jobs", before: str = "60", after: str = "90") -> ResourceChange:
    """A queue whose timeout changes."""
    changed = PropertyChange("visibilityTimeoutSeconds", before, after)
    return ResourceChange(name, QUEUE, ("Environment shop", "Queue shop"), "update", (changed,))


def database() -> ResourceChange:
    """A database that is replaced."""
    changed = PropertyChange("storageEncrypted", "false", "true", forces=True)
    component = ("Environment shop", "Database shop")
    return ResourceChange("shop-database", DATABASE, component, "replace", (changed,), ("storageEncrypted",), data_at_stake=True)


def environment(name: str, *changes: ResourceChange, **fields: object) -> Environment:
    """One that was brought up before."""
    known = {"compared_with": "the state that up left at 2026-03-02T10:15:00Z", "deployed": "1.0.0", "pinned": "1.0.0"}
    nodes = (
        Node("shop", "isostack:environment:Environment", -1, "same", component=True),
        *(Node(change.name, change.type, 0, change.op) for change in changes),
    )
    return Environment(name, unchanged=155 - len(changes), changes=changes, nodes=nodes, **{**known, **fields})  # type: ignore[arg-type]


def report(*environments: Environment) -> Report:
    """These environments, and those that are not named as they were."""
    given = {one.name: one for one in environments}
    return Report("shop", "4f2a9c1b7d3e", tuple(given.get(name) or environment(name) for name in ENVIRONMENTS))


def hostile() -> Report:
    """All that can be named has a name that means harm."""
    return Report(HOSTILE[0], HOSTILE[5], tuple(_hostile_environments()), base=HOSTILE[4])


def _hostile_environments() -> Iterator[Environment]:
    for number, name in enumerate(HOSTILE):
        others = [HOSTILE[(number + step) % len(HOSTILE)] for step in range(1, 8)]
        change = ResourceChange(
            name,
            others[0],
            (others[1], others[2]),
            "replace",
            tuple(PropertyChange(other, name, other, forces=True) for other in others),
            (others[3],),
            data_at_stake=True,
            note=others[4],
        )
        yield Environment(
            name,
            compared_with=others[5],
            deployed=others[6],
            pinned=name,
            changes=(change,),
            nodes=(Node(name, others[0], -1, "same", component=True), Node(others[1], others[2], 0, "replace")),
            parameters=(ParameterChange(name, others[0], others[1], others[2]),),
            policies=(Finding(name, "mandatory", others[0], others[1]),),
            widened=(Widening(name, others[0]),),
            unseen=(name,),
            warnings=(name,),
        )
    yield Environment("broken", error="\n".join(HOSTILE))
