"""What the model refuses, each with its path, its line and the mend; the cases are data."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacks.documents import read
from stacks.parameters import FOLDER, ParameterError, load
from tests.parameters.sets import complaints, lines_of, loaded

DIGEST = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
BLUE = "blue: 100\n    green: 0"
OPERATIONS = "operations: [arn:aws:iam::999999999999:role/operations]"
BUDGET = "default_ttl: 8h\nbudget:"
CASES = [
    # what stands there, what is written instead, the path that is named, and part of what is said
    ("name: shop", "name: Shop_1", "name", "'Shop_1' is no name"),
    ("owner: platform-team", "owner: 7", "owner", "7 is no text; write it in quotes"),
    ("zones: [a, b]", "zones: [a]", "zones", "has too few entries; give 2 or more"),
    ("zones: [a, b]", "zones: a", "zones", "'a' is no list; write a list"),
    ("zones: [a, b]", "zones: [a, a]", "zones", "zone a stands there more than once"),
    ("zones: [a, b]", "zones: [a, eu-west-1b]", "zones.1", "'eu-west-1b' is no zone"),
    ("region: eu-west-1", "region: ireland", "region", "'ireland' is no region"),
    ('dev: "111111111111"', "dev: 111111111111", "account.dev", "111111111111 is no text; write it in quotes"),
    ('dev: "111111111111"', 'dev: "1234"', "account.dev", "'1234' is no account id"),
    ('staging: "333333333333"', 'staging: "222222222222"', "account.staging", "is the account of integration too"),
    # network
    ("dev: 10.10.0.0/16", "dev: 10.10.0.1/16", "network.cidr.dev", "is no CIDR block; the network is 10.10.0.0/16"),
    ("dev: 10.10.0.0/16", "dev: 10.10.0.0/33", "network.cidr.dev", "is no CIDR block; write a network such as"),
    ("dev: 10.10.0.0/16", "dev: 8.8.0.0/16", "network.cidr.dev", "is public"),
    ("dev: 10.10.0.0/16", "dev: 10.0.0.0/12", "network.cidr.dev", "choose from /16 to /28"),
    (
        "dev: 10.10.0.0/16",
        "dev: 10.10.0.0/26",
        "network.cidr.dev",
        "too few addresses for 3 subnets in each of 2 zones; choose /25",
    ),
    (
        "integration: 10.20.0.0/16",
        "integration: 10.10.128.0/17",
        "network.cidr.integration",
        "overlaps 10.10.0.0/16, the addresses of dev",
    ),
    ("nat_gateways: 1", "nat_gateways: 3", "network.nat_gateways", "3 is more than there are zones; choose from 1 to 2"),
    ("nat_gateways: 1", "nat_gateways: true", "network.nat_gateways", "True is no whole number"),
    (
        "flow_log: {dev: 7d",
        "flow_log: {dev: 8d",
        "network.flow_log.dev",
        "not one of the values that AWS takes; the nearest ones are 3d, 5d, 7d",
    ),
    # keys, storage, audit, queue
    ("deletion: {dev: 7d", "deletion: {dev: 6d", "keys.deletion.dev", "6d is out of range; choose from 7d to 30d"),
    ("rotation: 365d", "rotation: 365", "keys.rotation", "365 is no duration; write a number and its unit"),
    ("noncurrent: {dev: 1d", "noncurrent: {dev: 36h", "storage.noncurrent.dev", "36h is no whole number of d"),
    ("lock: {dev: 1d", "lock: {dev: 31d", "audit.lock.dev", "31d is longer than the trail is kept; choose 30d or less"),
    ("visibility_timeout: 60s", "visibility_timeout: 13h", "queue.visibility_timeout", "choose from 1s to 12h"),
    ("max_receives: 5", "max_receives: 1001", "queue.max_receives", "1001 is too large; choose 1000 or less"),
    ("max_receives: 5", "max_receives: 0", "queue.max_receives", "0 is too small; choose 1 or more"),
    # database
    ('engine_version: "17.4"', "engine_version: 17.4", "database.engine_version", "17.4 is no text; write it in quotes"),
    ('engine_version: "17.4"', 'engine_version: "17"', "database.engine_version", "'17' is no version of PostgreSQL"),
    ('engine_version: "17.4"', 'engine_version: "42.0"', "database.engine_version", "RDS has no PostgreSQL 42.0"),
    ("integration: db.t4g.medium", "integration: db.r8q.large", "database.instance_class.integration", "did you mean db.r8g"),
    ("integration: db.t4g.medium", "integration: cache.t4g.medium", "database.instance_class.integration", "db.t4g.medium"),
    ("integration: db.t4g.medium", "integration: huge", "database.instance_class.integration", "write db.FAMILY.SIZE"),
    ("storage: {dev: 20GiB", "storage: {dev: 10GiB", "database.storage.dev", "10GiB is out of range; choose from 20GiB"),
    ("storage: {dev: 20GiB", "storage: {dev: 20GB", "database.storage.dev", "'20GB' is no size; write a number and its unit"),
    (
        "max_storage: {dev: 50GiB",
        "max_storage: {dev: 20GiB",
        "database.max_storage.dev",
        "is less than a tenth more than storage, 20GiB",
    ),
    ("backup: {dev: 1d", "backup: {dev: 36d", "database.backup.dev", "36d is out of range; choose from 1d to 35d"),
    ("backup_window: 02:00-03:00", "backup_window: 2am", "database.backup_window", "'2am' is no window of a day"),
    ("backup_window: 02:00-03:00", "backup_window: 02:00-02:20", "database.backup_window", "shorter than 30 minutes"),
    (
        "backup_window: 02:00-03:00",
        "backup_window: 03:00-04:00",
        "database.maintenance_window",
        "overlaps the backup window, 03:00-04:00",
    ),
    ("backup_window: 02:00-03:00", "backup_window: 23:30-04:00", "database.maintenance_window", "overlaps the backup window"),
    ("sun:03:30-sun:04:30", "sun:03:30-mon:02:30", "database.maintenance_window", "overlaps"),
    ("sun:03:30-sun:04:30", "sun:03:30-sun:03:45", "database.maintenance_window", "not between 30 minutes and a day long"),
    ("sun:03:30-sun:04:30", "son:03:30-son:04:30", "database.maintenance_window", "is no window of a week"),
    (
        "multi_az: {dev: false",
        "multi_az: {dev: no",
        "database.multi_az.dev",
        "'no' is neither true nor false; write true or false",
    ),
    ("snapshot: null", "", "database.snapshot", "is missing; write it; nothing has a default"),
    ("  multi_az:", "  multi_as:", "database.multi_as", "is no parameter; did you mean multi_az?"),
    # cache
    (
        "dev: cache.t4g.micro",
        "dev: cache.t4g.mini",
        "cache.node_type.dev",
        "a node type that ElastiCache has; did you mean cache.t4g.micro?",
    ),
    ("replicas: {dev: 0", "replicas: {dev: 6", "cache.replicas.dev", "6 is too large; choose 5 or less"),
    # services
    (f"backend@sha256:{DIGEST}", "backend:latest", "services.backend-blue.image", "names no digest, and a tag may move"),
    (DIGEST, DIGEST[:-1], "services.backend-blue.image", "is no image with a digest"),
    ("cpu: {dev: 256", "cpu: {dev: 300", "services.backend-blue.cpu.dev", "300 is no size that Fargate has"),
    (
        "memory: {dev: 512MiB",
        "memory: {dev: 4GiB",
        "services.backend-blue.memory.dev",
        "Fargate has no 4GiB with cpu 256; with cpu 256 the nearest are",
    ),
    ("min_count: {dev: 1", "min_count: {dev: 3", "services.backend-blue.min_count.dev", "3 is more than max_count, 2"),
    ("port: 8080", "port: 8081", "services.backend-blue.port", "not the port at which the ingress looks for it; write 8080"),
    ("port: 8080", "port: 80800", "services.backend-blue.port", "80800 is too large; choose 65535 or less"),
    ("target: green", "target: blue", "services.backend-green.target", "backend-blue has joined target group blue already"),
    ("target: green", "target: purple", "services.backend-green.target", "'purple' is unknown; choose 'blue' or 'green'"),
    ("[DATABASE_URL, CACHE_URL]", "[DATABASE_URI]", "services.backend-blue.secrets.0", "'DATABASE_URI' is unknown"),
    ("LOG_LEVEL: {", "log-level: {", "services.backend-blue.environment.log-level", "is no name of a variable"),
    ("LOG_LEVEL: {", "RELEASE: {", "services.backend-blue.environment.RELEASE", "is given to the service anyway; remove it"),
    # flags and ingress
    ("new-checkout: {", "New: {", "flags.switches.New", "is no key of a flag"),
    ("dev: api.dev.shop.example", "dev: https://api", "ingress.domain.dev", "'https://api' is no host name"),
    ("dev: api.dev.shop.example", "dev: api.shop.example", "ingress.domain.production", "is the domain of dev too"),
    ("dev: [198.51.100.0/24]", "dev: [198.51.100.1/24]", "ingress.public_cidrs.dev.0", "the network is 198.51.100.0/24"),
    ("[parcel.integration.shop.example]", "[api.integration.shop.example]", "ingress.partners", "stands there more than once"),
    (BLUE, "blue: 90\n    green: 0", "ingress.weights.blue", "the weights add up to 90; make them 100 together"),
    (BLUE, "blue: 100", "ingress.weights", "give both blue and green"),
    (BLUE, "blue: 100\n    purple: 0", "ingress.weights.purple", "'purple' is unknown"),
    (
        "target: blue",
        "target: null",
        "ingress.weights.blue",
        "100 of a hundred requests would go to blue, which no service joins",
    ),
    ("health_path: /healthz", "health_path: healthz", "ingress.health_path", "'healthz' is no path"),
    # access
    (OPERATIONS, "operations: [arn:aws:iam::999999999999:role/*]", "access.principals.operations.0", "has a wildcard"),
    (OPERATIONS, "operations: [arn:aws:iam::999999999999:root]", "access.principals.operations.0", "is a whole account"),
    (OPERATIONS, "operations: [operations]", "access.principals.operations.0", "is no ARN of a role or user"),
    (
        OPERATIONS,
        "operators: [arn:aws:iam::999999999999:role/operations]",
        "access.principals.operators",
        "'operators' is unknown",
    ),
    ("    deployer: [] # no person deploys\n", "", "access.principals", "says nothing of deployer"),
    (
        "    deployer: deploy",
        "    deployer: operate",
        "access.matrix.deployer",
        "'operate' is no level for this role; choose none or deploy",
    ),
    ("qa: {dev: use", "qa: {dev: emergency", "access.matrix.qa.dev", "choose none or read or use"),
    ("platform:environment:dev]", "platform:*]", "access.oidc_subjects.dev.0", "has a wildcard"),
    ("platform:environment:dev]", "platform:pull_request]", "access.oidc_subjects.dev.0", "lets anybody's pull request in"),
    (
        "repo:example-shop/platform:environment:dev",
        "repo:somebody/fork:environment:dev",
        "access.oidc_subjects.dev.0",
        "begin it with repo:example-shop/platform:",
    ),
    ("break-glass: 1h", "break-glass: 2h", "access.session.break-glass", "break-glass lasts an hour at most"),
    (
        "operations: {dev: 8h, integration: 8h, staging: 1h, production: 1h}",
        "operations: 8h",
        "access.session.operations",
        "longer than people may stay in production",
    ),
    (
        "mfa: {dev: false, integration: false, staging: true, production: true}",
        "mfa: false",
        "access.mfa",
        "without a second factor",
    ),
    # observability and playground
    ("dev: dev-alarms@shop.example", "dev: nobody", "observability.alarm_endpoint.dev", "is no endpoint of alarms"),
    ("latency: {dev: 5s", "latency: {dev: 5ms", "observability.latency.dev", "5ms is out of range; choose from 10ms to 60s"),
    ("default_ttl: 8h", "default_ttl: 15d", "playground.default_ttl", "15d is longer than max_ttl, 3d"),
    # budget, which the first versions do not have
    ("default_ttl: 8h", f"{BUDGET}\n  warn: 300\n  refuse: 200", "budget.warn", "300 is more than refuse, 200"),
    ("default_ttl: 8h", f"{BUDGET}\n  refuse: 0", "budget.refuse", "0 is too small; choose 1 or more"),
    ("default_ttl: 8h", f"{BUDGET}\n  refuse: 2.5", "budget.refuse", "2.5 is no whole number"),
    ("default_ttl: 8h", f"{BUDGET}\n  deny: 200", "budget.deny", "'deny' is unknown"),
    ("default_ttl: 8h", f"{BUDGET}\n  warn: {{dev: 100, staging: 300, production: 300}}", "budget.warn", "has no integration"),
    ("default_ttl: 8h", f"{BUDGET} 200", "budget", "200 is no mapping"),
]


@pytest.mark.parametrize(("old", "new", "path", "said"), CASES, ids=[f"{path}: {new}" for _, new, path, _ in CASES])
def test_what_cannot_be_is_refused(tmp_path: Path, old: str, new: str, path: str, said: str) -> None:
    found = [line for line in complaints(tmp_path, (old, new)) if f": {path}: " in line]
    assert len(found) == 1
    where, _, told = found[0].partition(f": {path}: ")
    assert said in told
    assert "; " in told, "it says how to mend it"
    number = int(where.removeprefix("1.0.0.yaml:"))
    if new and "\n" not in new and path.rpartition(".")[2] in new:
        assert number in lines_of(tmp_path, new)


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    lines = complaints(
        tmp_path,
        ('dev: "111111111111"', 'dev: "222222222222"'),
        ("dev: 10.10.0.0/16", "dev: 10.20.0.0/16"),
        ("engine_version", "engine_verzion"),
        ("max_storage: {dev: 50GiB", "max_storage: {dev: 20GiB"),
        ("instance_class: {dev: db.t4g.micro", "instance_class: {dev: db.t4g.mega"),
        ("cpu: {dev: 256", "cpu: {dev: 300"),
        ("min_count: {dev: 1", "min_count: {dev: 3"),
        (BLUE, "blue: 100\n    green: 1"),
        ("  max_ttl: 72h", "  max_ttl: 1h"),
    )
    paths = [line.split(": ")[1] for line in lines]
    assert paths == [
        "account.integration",
        "network.cidr.integration",
        "database.engine_version",
        "database.engine_verzion",
        "database.instance_class.dev",
        "database.max_storage.dev",
        "services.backend-blue.cpu.dev",
        "services.backend-blue.min_count.dev",
        "ingress.weights.blue",
        "playground.default_ttl",
    ]
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)


def test_an_environment_of_the_smallest_size_fits(tmp_path: Path) -> None:
    parameters = loaded(tmp_path, ("dev: 10.10.0.0/16", "dev: 10.10.0.0/25"))
    assert parameters.of("dev").network.cidr == "10.10.0.0/25"


def test_a_window_may_pass_midnight_and_the_end_of_the_week(tmp_path: Path) -> None:
    windows = (("02:00-03:00", "23:30-00:30"), ("sun:03:30-sun:04:30", "sun:22:00-sun:23:30"))
    assert loaded(tmp_path, *windows).of("dev").database.backup_window == "23:30-00:30"
    (line,) = complaints(tmp_path, windows[0], ("sun:03:30-sun:04:30", "sun:23:00-mon:00:15"))
    assert "overlaps the backup window" in line


def _places(value: Any, steps: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document: every key and index in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in ((*steps, key), *_places(item, (*steps, key)))]


WHOLE = read(FOLDER / "1.0.0.yaml").value
ANYTHING = st.sampled_from(
    [None, True, -1, 0, 1.5, "", "x", "*", "9d", "9GiB", "0.0.0.0/0", [], ["x"], {}, {"dev": 1}, {"x": {"y": 1}}]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_places(WHOLE)), ANYTHING), min_size=1, max_size=4))
def test_whatever_is_written_the_answer_names_lines_or_is_a_set(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = json.loads(json.dumps(WHOLE))
    for steps, value in edits:
        inner = document
        for step in steps[:-1]:
            known = (isinstance(inner, dict) and step in inner) or (isinstance(inner, list) and step in range(len(inner)))
            inner = inner[step] if known else {}
        if isinstance(inner, dict) or (isinstance(inner, list) and isinstance(steps[-1], int) and steps[-1] < len(inner)):
            inner[steps[-1]] = value
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "1.0.0.yaml").write_text(json.dumps(document, indent=1))
        try:
            assert load("1.0.0", Path(folder)).version == "1.0.0"
        except ParameterError as error:
            for line in str(error).splitlines():
                where, path, told = line.split(": ", 2)
                assert where.startswith("1.0.0.yaml:")
                assert path
                assert "; " in told
