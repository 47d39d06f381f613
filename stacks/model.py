"""The fields of a parameter set, by area: what each means, what it may be, and whether it may differ by environment.

An area feeds the component of its name: its ``values()`` are that component's values. Owns every check that needs no other
environment; what the environments are to each other is :mod:`stacks.parameters`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from stacks.fields import (
    Account,
    Cidr,
    Days,
    DayWindow,
    Host,
    Image,
    LogDays,
    Percent,
    Port,
    Principal,
    StorageSize,
    Subject,
    WeekWindow,
    matching,
    minute,
    offered,
    refusing,
    repeated,
)
from stacks.offers import CACHE_NODES, DATABASE_CLASSES, FARGATE_CPU, POSTGRES_MAJORS, unfit_memory
from stacks.tables import Area, PerEnvironment, Wrong
from stacks.units import Duration, Size, Unit

Role = Literal["developer", "qa", "partner", "operations", "deployer", "break-glass"]
Level = Literal["none", "read", "use", "operate", "deploy", "emergency"]
LEVELS: dict[Role, tuple[Level, ...]] = {
    "developer": ("none", "read", "use", "operate"),
    "qa": ("none", "read", "use"),
    "partner": ("none", "use"),
    "operations": ("none", "read", "use", "operate"),
    "deployer": ("none", "deploy"),
    "break-glass": ("none", "emergency"),
}
PEOPLE: tuple[Role, ...] = ("developer", "qa", "operations")
TOLD_TO_SERVICES = ("ASSET_BUCKET", "JOB_QUEUE_URL", "PORT", "RELEASE", "AWS_REGION")
"""The variables that every service finds in its environment anyway."""
SMALLEST_SUBNET = 28  # AWS's limit: 16 addresses
KINDS_OF_SUBNETS = 3
MOST_HOSTS = 5  # values that the conditions of a listener rule take


class Network(Area):
    """The addresses of an environment, and its ways out."""

    cidr: Annotated[
        Cidr,
        refusing(lambda text: not IPv4Network(text).is_private, "is public", "take a private one, such as 10.0.0.0/16"),
        refusing(
            lambda text: not 16 <= IPv4Network(text).prefixlen <= SMALLEST_SUBNET,
            "has a size that a VPC cannot have",
            "choose from /16 to /28",
        ),
        PerEnvironment(own=True),
    ]
    """The VPC's block of addresses, /16 to /28; no two environments' overlap."""
    nat_gateways: Annotated[int, Field(ge=1)]
    """How many NAT gateways there are: one, or up to one for each zone."""
    interface_endpoints: tuple[Annotated[str, matching("[a-z0-9.-]+", "endpoint's service", "ecr.api")], ...]
    """The AWS services that are reached without leaving the network."""
    flow_log: Annotated[LogDays, PerEnvironment()]
    """How long the log of the network's flows is kept."""


class Keys(Area):
    """The encryption keys."""

    deletion: Annotated[Duration, Unit("days", "d", "7d", "30d"), PerEnvironment()]
    """How long a key waits before it is really deleted."""
    rotation: Annotated[Duration, Unit("days", "d", "90d", "2560d")]
    """How often a key's material is replaced."""


class Storage(Area):
    """The buckets."""

    noncurrent: Annotated[Days, PerEnvironment()]
    """How long an object's old versions are kept."""
    access_log: Annotated[Days, PerEnvironment()]
    """How long access logs are kept."""
    force_destroy: Annotated[bool, PerEnvironment()]
    """Whether the buckets may be deleted together with what is in them."""


class Audit(Area):
    """The trail of who did what."""

    retention: Annotated[LogDays, PerEnvironment()]
    """How long the trail is kept."""
    lock: Annotated[Days, PerEnvironment()]
    """How long nobody can delete a record of the trail."""
    force_destroy: Annotated[bool, PerEnvironment()]
    """Whether the trail's bucket may be deleted together with what is in it."""

    def check(self) -> Iterator[Wrong]:
        if self.has("lock", "retention") and self.lock > self.retention:
            yield ("lock",), f"{self.lock} is longer than the trail is kept", f"choose {self.retention} or less"


class Queue(Area):
    """The queue of jobs, and the one of jobs that failed."""

    visibility_timeout: Annotated[Duration, Unit("seconds", "s", "1s", "12h")]
    """How long a job is hidden from others once a worker has taken it."""
    retention: Annotated[Duration, Unit("seconds", "s", "60s", "14d")]
    """How long a job waits before it is lost."""
    max_receives: Annotated[int, Field(ge=1, le=1000)]
    """How often a job is tried before it goes to the dead letters."""


class Database(Area):
    """PostgreSQL on RDS."""

    engine_version: Annotated[str, matching(r"[0-9]{2}\.[0-9]{1,2}", "version of PostgreSQL", '"17.5", in quotes')]
    """PostgreSQL's version, major and minor."""
    instance_class: Annotated[
        str, offered("db", DATABASE_CLASSES, "an instance class that RDS has for postgres"), PerEnvironment()
    ]
    """How large the instance is."""
    storage: Annotated[StorageSize, PerEnvironment()]
    """The storage that it starts with."""
    max_storage: Annotated[StorageSize, PerEnvironment()]
    """How far the storage may grow by itself."""
    backup: Annotated[Duration, Unit("days", "d", "1d", "35d"), PerEnvironment()]
    """How long backups are kept, and so how far back one can go."""
    backup_window: DayWindow
    """When it is backed up every day, in UTC."""
    maintenance_window: WeekWindow
    """When AWS may maintain it, in UTC."""
    multi_az: Annotated[bool, PerEnvironment()]
    """Whether a standby waits in another zone."""
    deletion_protection: Annotated[bool, PerEnvironment()]
    """Whether AWS refuses to delete it."""
    skip_final_snapshot: Annotated[bool, PerEnvironment()]
    """Whether it goes without a last snapshot when it is deleted."""
    snapshot: Annotated[str | None, PerEnvironment(own=True)]
    """The snapshot to restore from, by its identifier, or null. To name one replaces a database that runs."""
    parameters: dict[Annotated[str, matching(r"[a-z][a-z0-9_.]*", "parameter of PostgreSQL", "work_mem")], str]
    """PostgreSQL's own parameters, the same everywhere."""

    def check(self) -> Iterator[Wrong]:
        if self.has("engine_version") and self.engine_version.partition(".")[0] not in POSTGRES_MAJORS:
            what = f"RDS has no PostgreSQL {self.engine_version}"
            yield ("engine_version",), what, f"the major versions are {', '.join(POSTGRES_MAJORS)}"
        # AWS grows storage by a tenth or more.
        if self.has("storage", "max_storage") and self.max_storage.amount * 10 < self.storage.amount * 11:
            what = f"{self.max_storage} is less than a tenth more than storage, {self.storage}"
            yield ("max_storage",), what, "leave it room to grow"
        if self.has("backup_window", "maintenance_window"):
            yield from self._windows()

    def _windows(self) -> Iterator[Wrong]:
        day, week = 24 * 60, 7 * 24 * 60
        begin, end = map(minute, self.backup_window.split("-"))
        length = (end - begin) % day
        opens, closes = map(minute, self.maintenance_window.split("-"))
        duration = (closes - opens) % week
        if length < 30:
            yield ("backup_window",), f"{self.backup_window} is shorter than 30 minutes", "make it longer"
        if not 30 <= duration <= day:
            what = f"{self.maintenance_window} is not between 30 minutes and a day long"
            yield ("maintenance_window",), what, "write its begin and its end"
        backups = [begin + day * index for index in range(7)]
        if any((backup - opens) % week < duration or (opens - backup) % week < length for backup in backups):
            what = f"{self.maintenance_window} overlaps the backup window, {self.backup_window}"
            yield ("maintenance_window",), what, "keep them apart"


class Cache(Area):
    """Valkey on ElastiCache."""

    engine_version: Annotated[str, matching(r"[0-9]+\.[0-9]+", "version of Valkey", '"8.0", in quotes')]
    """Valkey's version, major and minor."""
    node_type: Annotated[str, offered("cache", CACHE_NODES, "a node type that ElastiCache has"), PerEnvironment()]
    """How large a node is."""
    replicas: Annotated[int, Field(ge=0, le=5), PerEnvironment()]
    """How many replicas there are; from one on, another zone takes over when the primary fails."""


class Service(Area):
    """A service on ECS Fargate."""

    image: Image
    """The image, by its digest: the same artefact everywhere."""
    cpu: Annotated[
        int,
        refusing(lambda cpu: cpu not in FARGATE_CPU, "is no size that Fargate has", f"choose from {FARGATE_CPU}"),
        PerEnvironment(),
    ]
    """CPU in units of 1/1024 of a core."""
    memory: Annotated[Size, Unit("mb", "MiB", "512MiB", "120GiB"), PerEnvironment()]
    """Memory; Fargate takes certain amounts with each CPU."""
    min_count: Annotated[int, Field(ge=0), PerEnvironment()]
    """How many tasks there are at least."""
    max_count: Annotated[int, Field(ge=1, le=5000), PerEnvironment()]
    """How many tasks there are at most."""
    target_cpu_percent: Annotated[int, Field(ge=10, le=90), PerEnvironment()]
    """How busy tasks may be before there are more of them."""
    port: Port
    """Where it listens; one that joins a target group listens on the ingress's port."""
    target: Literal["blue", "green"] | None
    """The target group that it joins, or null for a service that nobody calls. The same in all environments."""
    environment: dict[
        Annotated[str, matching("[A-Z][A-Z0-9_]*", "name of a variable", "LOG_LEVEL")], Annotated[str, PerEnvironment()]
    ]
    """Variables that it gets, beside those that every service gets."""
    secrets: tuple[Literal["DATABASE_URL", "CACHE_URL"], ...]
    """The secrets that it gets as variables, by name; their values are nowhere in this document."""
    log: Annotated[LogDays, PerEnvironment()]
    """How long its log is kept."""

    def check(self) -> Iterator[Wrong]:
        if self.has("cpu", "memory") and (mend := unfit_memory(self.cpu, self.memory.amount)):
            yield ("memory",), f"Fargate has no {self.memory} with cpu {self.cpu}", mend
        if self.has("min_count", "max_count") and self.min_count > self.max_count:
            yield ("min_count",), f"{self.min_count} is more than max_count, {self.max_count}", "swap the two"
        if self.has("environment", "secrets"):
            for name in sorted(self.environment.keys() & {*TOLD_TO_SERVICES, *self.secrets}):
                yield ("environment", name), "is given to the service anyway", "remove it"


class Flags(Area):
    """Feature flags."""

    switches: dict[
        Annotated[str, matching("[a-z][A-Za-z0-9_-]{0,63}", "key of a flag", "new-checkout")],
        Annotated[bool, PerEnvironment(staging="a feature is tried in staging before it is switched on in production")],
    ]
    """Each flag, and whether it is on."""

    def values(self) -> dict[str, Any]:
        return {"flags": self.switches}


class Partner(Area):
    """A partner: where it calls from, and by which names it calls."""

    cidrs: Annotated[tuple[Cidr, ...], PerEnvironment(staging="partners connect to integration, and never to staging")]
    """The addresses that may reach the listener, and that no rate limit holds up."""
    hosts: Annotated[tuple[Host, ...], PerEnvironment(own=True)]
    """The names under which the partner calls, beside the domain."""


class Ingress(Area):
    """The way in."""

    domain: Annotated[Host, PerEnvironment(own=True)]
    """The name under which the environment is called."""
    internal: Annotated[bool, PerEnvironment(staging="reached by operations alone until the switch of traffic")]
    """Whether the load balancer has private addresses alone."""
    public_cidrs: Annotated[tuple[Cidr, ...], PerEnvironment(staging="reached by operations alone until the switch of traffic")]
    """Who may reach the listener."""
    partners: dict[Annotated[str, matching("[a-z][a-z0-9-]*", "name of a partner", "acme")], Partner]
    """Partners by name, the same ones everywhere; one that may not reach an environment has no addresses there."""
    weights: dict[
        Literal["blue", "green"],
        Annotated[
            int,
            Field(ge=0, le=100),
            PerEnvironment(staging="a switch of traffic is tried in staging before it is made in production"),
        ],
    ]
    """How traffic is shared between the two target groups, in percent. To switch, change two numbers."""
    rate_limit: Annotated[int, Field(ge=10, le=2_000_000_000), PerEnvironment()]
    """How many requests one address may make in five minutes."""
    health_path: Annotated[str, matching("/[A-Za-z0-9._~/-]*", "path", "/healthz")]
    """What answers 200 where a service is well."""
    port: Port
    """Where services behind the load balancer listen."""
    deletion_protection: Annotated[bool, PerEnvironment()]
    """Whether AWS refuses to delete the load balancer."""
    idle_timeout: Annotated[Duration, Unit("seconds", "s", "1s", "4000s")]
    """How long a connection may be silent."""

    def check(self) -> Iterator[Wrong]:
        if self.has("weights"):
            total = sum(self.weights.values())
            if set(self.weights) != {"blue", "green"}:
                yield ("weights",), "one of the target groups has no weight", "give both blue and green"
            elif total != 100:
                yield ("weights", "blue"), f"the weights add up to {total}", "make them 100 together"
        if self.has("domain", "partners"):
            partners = [partner.hosts for partner in self.partners.values() if partner.has("hosts")]
            if again := repeated((self.domain, *(host for hosts in partners for host in hosts))):
                yield ("partners",), f"{again} stands there more than once", "give each host to one alone"
            if (count := 1 + sum(map(len, partners))) > MOST_HOSTS:
                what = f"the load balancer would answer to {count} names, and one of its rules takes {MOST_HOSTS}"
                yield ("partners",), what, "let partners share a host"


class Access(Area):
    """Who may do what."""

    repository: Annotated[str, matching(r"[\w.-]+/[\w.-]+", "repository", "example-shop/platform")]
    """The repository on GitHub whose workflows deploy."""
    oidc_subjects: Annotated[tuple[Subject, ...], PerEnvironment(own=True)]
    """The subject claims of those workflows, each in full."""
    principals: dict[Role, Annotated[tuple[Principal, ...], PerEnvironment(own=True)]]
    """Who may take on each role, each in full; nobody where the list is empty."""
    matrix: dict[Role, Annotated[Level, PerEnvironment()]]
    """What each role may do."""
    session: dict[Role, Annotated[Duration, Unit("hours", "h", "1h", "12h"), PerEnvironment()]]
    """How long a session of each role lasts at most."""
    mfa: Annotated[bool, PerEnvironment()]
    """Whether people need a second factor; for break-glass they always do."""

    def check(self) -> Iterator[Wrong]:
        for name in ("principals", "matrix", "session"):
            if self.has(name) and (missing := [role for role in get_args(Role) if role not in getattr(self, name)]):
                yield (name,), f"says nothing of {', '.join(missing)}", "give each role a value"
        for role, level in self.matrix.items() if self.has("matrix") else ():
            if level not in LEVELS[role]:
                yield ("matrix", role), f"{level!r} is no level for this role", f"choose {' or '.join(LEVELS[role])}"
        if self.has("repository", "oidc_subjects"):
            for index, subject in enumerate(self.oidc_subjects):
                if not subject.startswith(f"repo:{self.repository}:"):
                    what = f"{subject!r} is not of {self.repository}"
                    yield ("oidc_subjects", index), what, f"begin it with repo:{self.repository}:"
        if self.has("session") and self.session.get("break-glass", Duration(0)) > Duration.parse("1h"):
            yield ("session", "break-glass"), "break-glass lasts an hour at most", "write 1h"


class Observability(Area):
    """What wakes people, and where it calls."""

    alarm_endpoint: Annotated[
        str,
        matching(r"https://[^\s]+|[\w.+-]+@[a-z0-9.-]+\.[a-z]+", "endpoint of alarms", "alarms@shop.example, or https://…"),
        PerEnvironment(own=True),
    ]
    """Where alarms go: an e-mail address, or an https address."""
    error_rate_percent: Annotated[Percent, PerEnvironment()]
    """How many of a hundred requests may fail."""
    latency: Annotated[Duration, Unit("seconds", "s", "10ms", "60s", whole=False), PerEnvironment()]
    """How long the slowest hundredth of requests may take."""
    queue_age: Annotated[Duration, Unit("seconds", "s", "1s", "14d"), PerEnvironment()]
    """How long a job may wait."""
    database_cpu_percent: Annotated[Percent, PerEnvironment()]
    """How busy the database may be."""
    database_free: Annotated[Size, Unit("gb", "GiB", "1GiB", "64TiB"), PerEnvironment()]
    """How little storage the database may have left."""
    database_connections: Annotated[int, Field(ge=1), PerEnvironment()]
    """How many connections the database may have."""


class Playground(Area):
    """Throwaway stacks of developers."""

    max_ttl: Annotated[Duration, Unit("hours", "h", "1h", "30d")]
    """How long one may live at most."""
    default_ttl: Annotated[Duration, Unit("hours", "h", "1h", "30d")]
    """How long one lives where nobody says."""

    def check(self) -> Iterator[Wrong]:
        if self.has("max_ttl", "default_ttl") and self.default_ttl > self.max_ttl:
            yield ("default_ttl",), f"{self.default_ttl} is longer than max_ttl, {self.max_ttl}", "shorten it"


class EnvironmentParameters(Area):
    """Everything that an environment is made from."""

    name: Annotated[str, matching("[a-z][a-z0-9-]{1,12}", "name", "shop: 2 to 13 small letters, digits and hyphens")]
    """What the system is called: the beginning of every name."""
    owner: str
    """Who answers for it; every resource is tagged with it."""
    release: Annotated[str, matching(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", "name of a release", "2025.11.0")]
    """The release of the system: every service is told, and every resource is tagged with it."""
    region: Annotated[str, matching("[a-z]{2}(-[a-z]+)+-[0-9]", "region", "eu-west-1")]
    """Where everything runs."""
    zones: Annotated[tuple[Annotated[str, matching("[a-f]", "zone", "a")], ...], Field(min_length=2)]
    """The region's zones, by letter; two or more."""
    account: Annotated[Account, PerEnvironment(own=True)]
    """The AWS account; each environment has its own."""
    entry_role: Annotated[str, matching(r"[\w+=,.@-]{1,64}", "name of a role", "isostack-entry")]
    """The role in each account by which the environment is built."""
    network: Network
    keys: Keys
    storage: Storage
    audit: Audit
    queue: Queue
    database: Database
    cache: Cache
    services: dict[Annotated[str, matching("[a-z][a-z0-9-]{0,23}", "name of a service", "worker")], Service]
    """The services by name, the same ones everywhere."""
    flags: Flags
    ingress: Ingress
    access: Access
    observability: Observability
    playground: Playground
    budget: dict[Literal["warn", "refuse"], Annotated[int, Field(ge=1), PerEnvironment()]] = Field(default_factory=dict)
    """What it may cost a month, in US dollars as ``isostack cost`` estimates: beyond ``warn`` a run says so, beyond ``refuse`` it
    does not change anything. No limit where it is left out, as versions before 1.2.0 do; the only field that may be."""

    def check(self) -> Iterator[Wrong]:
        if self.has("zones") and (again := repeated(self.zones)):
            yield ("zones",), f"zone {again} stands there more than once", "name each zone once"
        if self.has("zones", "network"):
            yield from self._addresses()
        if self.has("services", "ingress"):
            yield from self._targets()
        warn, refuse = (self.budget.get(name) if self.has("budget") else None for name in ("warn", "refuse"))
        if warn and refuse and warn > refuse:
            yield ("budget", "warn"), f"{warn} is more than refuse, {refuse}, so nobody would be warned", "swap the two"

    def _addresses(self) -> Iterator[Wrong]:
        zones, network = len(self.zones), self.network
        if network.has("cidr"):
            largest = SMALLEST_SUBNET - (KINDS_OF_SUBNETS * zones - 1).bit_length()
            if IPv4Network(network.cidr).prefixlen > largest:
                what = f"{network.cidr} has too few addresses for {KINDS_OF_SUBNETS} subnets in each of {zones} zones"
                yield ("network", "cidr"), what, f"choose /{largest} or larger"
        if network.has("nat_gateways") and network.nat_gateways > zones:
            what = f"{network.nat_gateways} is more than there are zones"
            yield ("network", "nat_gateways"), what, f"choose from 1 to {zones}"

    def _targets(self) -> Iterator[Wrong]:
        joined: dict[str, str] = {}
        for name, service in self.services.items():
            if not service.has("target") or service.target is None:
                continue
            if (first := joined.setdefault(service.target, name)) != name:
                what = f"{first} has joined target group {service.target} already"
                yield ("services", name, "target"), what, "choose the other one, or null"
            if service.has("port") and self.ingress.has("port") and service.port != self.ingress.port:
                what = f"{service.port} is not the port at which the ingress looks for it"
                yield ("services", name, "port"), what, f"write {self.ingress.port}, as ingress.port says"
        for colour, weight in self.ingress.weights.items() if self.ingress.has("weights") else ():
            if weight and colour not in joined and all(service.has("target") for service in self.services.values()):
                what = f"{weight} of a hundred requests would go to {colour}, which no service joins"
                yield ("ingress", "weights", colour), what, f"give a service the target {colour}"
