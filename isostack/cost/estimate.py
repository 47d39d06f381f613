"""What the resources of a state, or of an intent, cost a month. Pure: the price table, and nothing else, from outside.

An estimate is on-demand prices for having the resources all month. What only use can tell (requests, traffic, stored data) is
left out and named; so is a size or a type that the table has no price for, as *unpriced*: then the figure is a lower bound.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from isostack.engine.urn import ROOT_STACK_TYPE, name_of, type_of
from isostack.engine.values import UNKNOWN, plain

if TYPE_CHECKING:
    from isostack.engine.state import ResourceState, Snapshot

LABEL = "an estimate: on-demand prices for having the resources all month, without use, discounts and tax"
REGION = "eu-west-1"
"""Where a provider without a region works, as the local cloud takes it."""
Charge = tuple[str, float]
"""A rate's name, and how often it is charged."""
Links = Mapping[str, "ResourceState"]
"""Resources by URN."""
_REGION = re.compile("[a-z]{2}(?:-[a-z]+)+-[0-9]")


class NotPriced(Exception):
    """What a resource is charged cannot be told; the message says why."""


@dataclass(frozen=True)
class Cost:
    """What a resource costs a month, in dollars, and the component that it is in (``Network shop``)."""

    urn: str
    component: str
    monthly: float
    charges: tuple[Charge, ...] = ()

    @property
    def resource(self) -> str:
        """``shop-nat-a (ec2/natGateway)``."""
        return called(self.urn)


@dataclass(frozen=True)
class Estimate:
    """What resources cost a month: those that cost anything, what has no price and why, and what is left out."""

    costs: tuple[Cost, ...] = ()
    unpriced: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()

    @property
    def monthly(self) -> float:
        """Dollars a month."""
        return round(sum(cost.monthly for cost in self.costs), 2)

    @property
    def components(self) -> dict[str, float]:
        """Dollars a month by component, the dearest first."""
        sums: Counter[str] = Counter()
        for cost in self.costs:
            sums[cost.component] += cost.monthly  # type: ignore[assignment]  # a Counter adds floats as well
        return {name: round(amount, 2) for name, amount in sorted(sums.items(), key=lambda one: (-one[1], one[0]))}

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "monthly": self.monthly,
            "components": self.components,
            "resources": [
                {"urn": cost.urn, "component": cost.component, "monthly": round(cost.monthly, 2), "charges": dict(cost.charges)}
                for cost in self.costs
            ],
            "unpriced": list(self.unpriced),
            "leaves_out": list(self.leaves_out),
        }


def of(snapshot: Snapshot) -> Estimate:
    """What a snapshot's resources cost. What is only read, and old copies that go, are not counted."""
    from isostack.cost.prices import prices  # and pydantic, which a command that estimates nothing does without

    table, links = prices(), {resource.urn: resource for resource in snapshot.resources if not resource.delete}
    costs: list[Cost] = []
    unpriced: set[str] = set()
    leaves_out: set[str] = set()
    for resource in links.values():
        if not resource.custom or resource.external or resource.type.startswith("pulumi:"):
            continue
        row = table.of(resource.type)
        if row is None:
            unpriced.add(f"{called(resource.urn)}: the table has no such type")
            continue
        leaves_out.update(row.leaves_out)
        charges: list[Charge] = []
        monthly = 0.0
        try:
            for rate, times in _charges(row.charges or (), resource, links):
                price = table.monthly(rate, region := _region(resource, links))
                if price is None:
                    unpriced.add(f"{called(resource.urn)}: no price for {rate} in {region}")
                else:
                    charges.append((rate, times))
                    monthly += times * price
        except NotPriced as reason:
            unpriced.add(f"{called(resource.urn)}: {reason}")
        if charges:
            costs.append(Cost(resource.urn, _component(resource, links), monthly, tuple(charges)))
    costs.sort(key=lambda cost: (-cost.monthly, cost.urn))
    return Estimate(tuple(costs), tuple(sorted(unpriced)), tuple(sorted(leaves_out)))


def called(urn: str) -> str:
    """A resource as people know it: ``shop-nat-a (ec2/natGateway)``."""
    return f"{name_of(urn)} ({type_of(urn).removeprefix('aws:').rpartition(':')[0]})"


def _charges(names: Iterable[str], resource: ResourceState, links: Links) -> Iterator[Charge]:
    for name in names:
        if name in MEASURES:
            yield from MEASURES[name](_Seen(resource, links))
        else:
            yield name, 1


def _region(resource: ResourceState, links: Links) -> str:
    provider = links.get(resource.provider.rpartition("::")[0])
    region = plain(provider.inputs).get("region") if provider else None
    return region if isinstance(region, str) and _REGION.fullmatch(region) else REGION


def _component(resource: ResourceState, links: Links) -> str:
    parent = links.get(resource.parent)
    while parent is not None and parent.custom:
        parent = links.get(parent.parent)
    if parent is None or parent.type == ROOT_STACK_TYPE:
        return "outside of any component"
    return f"{parent.type.rpartition(':')[2]} {name_of(parent.urn)}"


# -- measures: how often which rate ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """A resource's inputs, as a measure asks for them, and the resources that they come from."""

    resource: ResourceState
    links: Links = field(repr=False)

    def text(self, name: str, default: str = "") -> str:
        return str(self._known(name, default))

    def number(self, name: str, default: float = 0) -> float:
        try:
            return float(self._known(name, default))
        except (TypeError, ValueError):
            raise NotPriced(f"{name} is no number") from None

    def many(self, name: str, unknown: list[Any] | None = None) -> list[Any]:
        value = self._known(name, []) if unknown is None or self.resource.inputs.get(name) is not UNKNOWN else unknown
        return value if isinstance(value, list) else []

    def source(self, name: str) -> _Seen:
        """The resource that an input comes from."""
        urns = self.resource.property_dependencies.get(name, [])
        found = next((self.links[urn] for urn in urns if urn in self.links and self.links[urn].custom), None)
        if found is None:
            raise NotPriced(f"{name} comes from no resource of this stack")
        return _Seen(found, self.links)

    def _known(self, name: str, default: Any) -> Any:
        value = plain(self.resource.inputs.get(name))
        if value is UNKNOWN:
            raise NotPriced(f"{name} is not known before it is up")
        return default if value is None else value


def _endpoint(it: _Seen) -> Iterator[Charge]:
    """An interface endpoint is charged in each zone; a gateway endpoint is not charged."""
    kind = it.text("vpcEndpointType", "Gateway")
    if kind == "Interface":
        yield "interface-endpoint", len(it.many("subnetIds")) or 1
    elif kind != "Gateway":
        yield f"endpoint/{kind}", 1


def _balancer(it: _Seen) -> Iterator[Charge]:
    kind = it.text("loadBalancerType", "application")
    yield "load-balancer" if kind == "application" else f"load-balancer/{kind}", 1
    if it.text("internal", "False") != "True":
        # In how many subnets it is may not be known before it is up; AWS wants two at least.
        yield "public-address", len(it.many("subnets", unknown=[1, 2])) or len(it.many("subnetMappings")) or 1


def _firewall(it: _Seen) -> Iterator[Charge]:
    yield "web-acl", 1
    if rules := len(it.many("rules")):
        yield "web-acl-rule", rules


def _tasks(it: _Seen) -> Iterator[Charge]:
    """As many tasks as the service starts with; they are charged by their task definition's CPU and memory."""
    count, launch = it.number("desiredCount"), it.text("launchType", "EC2")
    if launch != "FARGATE":
        raise NotPriced(f"tasks of launch type {launch}")
    task = it.source("taskDefinition")
    platform = plain(task.resource.inputs.get("runtimePlatform")) or {}
    architecture = platform.get("cpuArchitecture") or "X86_64"
    if count:
        yield f"fargate-vcpu/{architecture}", count * task.number("cpu") / 1024
        yield f"fargate-gib/{architecture}", count * task.number("memory") / 1024


def _database(it: _Seen) -> Iterator[Charge]:
    zones = "two zones" if it.text("multiAz", "False") == "True" else "one zone"
    yield f"{it.text('engine', 'an unknown engine')}/{it.text('instanceClass')}/{zones}", 1
    yield f"database-gib/{it.text('storageType', 'gp2')}/{zones}", it.number("allocatedStorage")


def _nodes(it: _Seen) -> Iterator[Charge]:
    shards = it.number("numNodeGroups", 1)
    copies = it.number("numCacheClusters") or 1 + it.number("replicasPerNodeGroup")
    yield f"{it.text('engine', 'redis')}/{it.text('nodeType')}", shards * copies


def _alarm(it: _Seen) -> Iterator[Charge]:
    """An alarm is charged for each metric that it looks at."""
    if it.number("period", 60) < 60:
        raise NotPriced("an alarm that looks more often than once a minute")
    queries = it.many("metricQueries")
    yield "alarm-metric", sum(isinstance(query, dict) and bool(query.get("metric")) for query in queries) or 1


MEASURES: Mapping[str, Callable[[_Seen], Iterator[Charge]]] = {
    "endpoint": _endpoint,
    "balancer": _balancer,
    "firewall": _firewall,
    "tasks": _tasks,
    "database": _database,
    "nodes": _nodes,
    "alarm": _alarm,
}
"""What the table's charges may name beside rates."""
