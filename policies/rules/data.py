"""Rules on data: what is kept, and how safely."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pulumi_policy import Severity

from policies.reachability import DATABASES, Reachability
from policies.references import References
from policies.resources import UNKNOWN, CannotTell, Resource
from policies.rule import (
    ADVISORY,
    DEV_MAY,
    DISABLED,
    EVERYWHERE,
    MANDATORY,
    Area,
    Example,
    Finding,
    Given,
    Levels,
    Rule,
    Settings,
)

LIKE_PRODUCTION = Levels(dev=DISABLED, integration=DISABLED, staging=MANDATORY, production=MANDATORY)
"""For what costs too much, or is in the way, where data can be made again."""

ADVISED_LIKE_PRODUCTION = Levels(dev=DISABLED, integration=DISABLED, staging=ADVISORY, production=ADVISORY)

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
MEMBER = "aws:rds/clusterInstance:ClusterInstance"
OTHER_CLUSTERS = ("aws:docdb/cluster:Cluster", "aws:neptune/cluster:Cluster")
SNAPSHOTS = (
    "aws:rds/snapshot:Snapshot",
    "aws:rds/snapshotCopy:SnapshotCopy",
    "aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy",
    "aws:rds/clusterSnapshot:ClusterSnapshot",
)
# The engines that know IAM logins, by how their names begin.
IAM_ENGINES = ("aurora", "mariadb", "mysql", "postgres")


# -- databases -----------------------------------------------------------------------------------------------------------


def _private(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if resource.get("publiclyAccessible", False):
        yield "publiclyAccessible gives it a public address"


def _reachable(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    network = Reachability(References(resources))
    for database in network.references.of(*DATABASES):
        try:
            for way in network.ways(database):
                yield Finding(what=f"it can be reached from a public subnet: {way.words}", resource=database)
        except CannotTell as error:
            yield Finding(what=f"{error.path or 'who may reach it'} is not known", resource=database, unsure=True)


def _deletion_protected(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if not resource.get("deletionProtection", False):
        yield "deletionProtection is off: one command deletes it"


def _backed_up(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if resource.peek("replicateSourceDb") is not None:
        return  # a replica can be made again from its source
    least = int(settings.options["minimumDays"])
    # RDS keeps backups of clusters for a day, and of instances not at all, where nothing is said.
    days = int(resource.get("backupRetentionPeriod", 0 if resource.type == INSTANCE else 1))
    if days < least:
        yield f"backupRetentionPeriod is {days}: {'there are no backups' if days == 0 else f'fewer than {least} days'}"


def _multi_az(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if not resource.get("multiAz", False):
        yield "multiAz is off: when its zone fails, so does it"


def _encrypted(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if not resource.get("storageEncrypted", False):
        yield "storageEncrypted is off: its disks and its snapshots can be read by who gets at them"


def _iam_login(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    if resource.get("iamDatabaseAuthenticationEnabled", False):
        return
    if str(resource.get("engine", "")).startswith(IAM_ENGINES):
        yield "iamDatabaseAuthenticationEnabled is off: people would log in with a password that stays"


def _snapshot_shared(resource: Resource, settings: Settings) -> Iterator[str | Finding]:
    accounts = resource.all("sharedAccounts")
    if any(account is not UNKNOWN and account == "all" for account in accounts):
        yield "sharedAccounts has all: every AWS account may restore it"
    elif any(account is UNKNOWN for account in accounts):
        raise CannotTell("sharedAccounts")


# -- buckets -------------------------------------------------------------------------------------------------------------

BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _blocked(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    references = References(resources)
    blocks = references.of(BLOCK, ACCOUNT_BLOCK)
    for block in blocks:
        yield from _all_on(block)
    if any(block.type == ACCOUNT_BLOCK for block in blocks):
        return  # it is for all buckets of the account
    for bucket in references.of(*BUCKETS):
        try:
            if not any(references.one(block, "bucket", BUCKETS) is bucket for block in blocks):
                yield Finding(what="no aws.s3.BucketPublicAccessBlock is for it", resource=bucket)
        except CannotTell:
            yield Finding(what="which block of public access is for it is not known", resource=bucket, unsure=True)


def _all_on(block: Resource) -> Iterator[Finding]:
    values = {switch: block.peek(switch) for switch in SWITCHES}
    if off := [switch for switch, value in values.items() if value is not UNKNOWN and not value]:
        one = len(off) == 1
        yield Finding(what=f"{', '.join(off)} {'is' if one else 'are'} off: one mistake makes it public", resource=block)
    elif unknown := [switch for switch, value in values.items() if value is UNKNOWN]:
        yield Finding(what=f"{', '.join(unknown)} is not known", resource=block, unsure=True)


# -- secrets -------------------------------------------------------------------------------------------------------------

SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type's name
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"


def _rotated(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    references = References(resources)
    most = int(settings.options["maximumDays"])
    for secret in references.of(SECRET):
        try:
            own = [one for one in references.of(ROTATION) if references.one(one, "secretId", (SECRET,)) is secret]
            if not own:
                yield Finding(what="nothing rotates it: who once read it knows it for ever", resource=secret)
            for rotation in own:
                days = rotation.get("rotationRules.automaticallyAfterDays")
                if days is not None and int(days) > most:
                    yield Finding(what=f"it is rotated after {int(days)} days, and not after {most}", resource=rotation)
        except CannotTell as error:
            yield Finding(what=f"{error.path} of its rotation is not known", resource=secret, unsure=True)


# -- examples ------------------------------------------------------------------------------------------------------------


def _database(**props: Any) -> tuple[Given, ...]:
    return (Given(type=INSTANCE, name="orders", props={"engine": "postgres", **props}),)


def _in_network(source: str) -> tuple[Given, ...]:
    rule = {"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": [source]}
    gateway = {"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}
    subnet = {"id": "subnet-1", "vpcId": "vpc-1", "cidrBlock": "10.40.0.0/24"}
    return (
        Given(type="aws:ec2/subnet:Subnet", name="public", props=subnet),
        Given(type="aws:ec2/routeTable:RouteTable", name="public", props={"id": "rtb-1", "routes": [gateway]}),
        Given(
            type="aws:ec2/routeTableAssociation:RouteTableAssociation",
            name="public",
            props={"subnetId": "subnet-1", "routeTableId": "rtb-1"},
        ),
        Given(type="aws:ec2/securityGroup:SecurityGroup", name="database", props={"id": "sg-1", "ingress": [rule]}),
        *_database(vpcSecurityGroupIds=["sg-1"]),
    )


def _bucket(**switches: bool) -> tuple[Given, ...]:
    on = {**dict.fromkeys(SWITCHES, True), **switches}
    return (
        Given(type=BUCKETS[0], name="invoices", props={"bucket": "shop-invoices"}),
        Given(type=BLOCK, name="invoices", props={"bucket": "shop-invoices", **on}),
    )


_TOKEN = Given(type=SECRET, name="token", props={"id": "arn:aws:secretsmanager:eu-west-1:444444444444:secret:token-AbCdEf"})
_TOKEN_ROTATION = Given(
    type=ROTATION,
    name="token",
    props={"secretId": _TOKEN.props["id"], "rotationRules": {"automaticallyAfterDays": 30}},
)
_DATABASES = frozenset({INSTANCE, CLUSTER, *OTHER_CLUSTERS})
_SNAPSHOT = Given(type=SNAPSHOTS[0], name="before-migration", props={"sharedAccounts": ["all"]})
_SHARED = Given(type=SNAPSHOTS[0], name="before-migration", props={"sharedAccounts": ["333333333333"]})

RULES: tuple[Rule, ...] = (
    Rule(
        number=22,
        name="database-private",
        area=Area.DATA,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_17", "CIS 3.2.3", "AG rds-instance-public-access", "AG redshift-cluster-public-access"),
        title="No database has a public address",
        why="Then a password, or a flaw in the database itself, is all that keeps everybody out.",
        mend="Set publiclyAccessible to false, and reach it from within the network.",
        types=frozenset({INSTANCE, MEMBER, "aws:redshift/cluster:Cluster"}),
        check=_private,
        example=Example(wrong=_database(publiclyAccessible=True), mended=_database(publiclyAccessible=False)),
    ),
    Rule(
        number=22,
        name="database-out-of-reach",
        area=Area.DATA,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CIS 3.2.3",),
        title="No database can be reached from a public subnet, through security groups and routes",
        why="What stands in a public subnet is the first that is broken into, and its way on must end there.",
        mend="Put it into subnets without a route to the Internet, and let in only groups of what stands in private subnets.",
        check_stack=_reachable,
        example=Example(wrong=_in_network("10.40.0.0/16"), mended=_in_network("10.40.64.0/24")),
    ),
    Rule(
        number=23,
        name="database-deletion-protection",
        area=Area.DATA,
        severity=Severity.HIGH,
        levels=LIKE_PRODUCTION,
        ids=("CKV_AWS_293", "CKV_AWS_139", "Config rds-instance-deletion-protection-enabled"),
        title="Databases are protected from deletion",
        why="A renamed resource, or a command in the wrong terminal, would take the data with it.",
        mend="Set deletionProtection to true.",
        types=_DATABASES,
        check=_deletion_protected,
        example=Example(wrong=_database(deletionProtection=False), mended=_database(deletionProtection=True)),
    ),
    Rule(
        number=24,
        name="database-backups",
        area=Area.DATA,
        severity=Severity.HIGH,
        levels=DEV_MAY,
        ids=("CKV_AWS_133", "AG rds-instance-backup-enabled"),
        title="Databases are backed up, and backups are kept for days",
        why="A mistake that shows after the weekend can be undone only from before the weekend.",
        mend="Set backupRetentionPeriod to minimumDays or more.",
        types=_DATABASES,
        check=_backed_up,
        schema={
            "minimumDays": {"type": "integer", "minimum": 1, "default": 7, "description": "How long backups are kept, at least"}
        },
        example=Example(wrong=_database(backupRetentionPeriod=0), mended=_database(backupRetentionPeriod=35)),
    ),
    Rule(
        number=25,
        name="database-multi-az",
        area=Area.DATA,
        severity=Severity.MEDIUM,
        levels=LIKE_PRODUCTION,
        ids=("CKV_AWS_157", "CIS 3.2.4", "AG rds-instance-multi-az-enabled"),
        title="A database has a standby in another zone",
        why="Zones fail, and a restore takes hours.",
        mend="Set multiAz to true.",
        types=frozenset({INSTANCE}),
        check=_multi_az,
        example=Example(wrong=_database(multiAz=False), mended=_database(multiAz=True)),
    ),
    Rule(
        number=26,
        name="database-encrypted",
        area=Area.DATA,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=("CKV_AWS_16", "CKV_AWS_96", "AG rds-storage-encrypted"),
        title="Databases are encrypted at rest",
        why="A database cannot be encrypted later, nor can its snapshots: it would have to be made anew.",
        mend="Set storageEncrypted to true, with a kmsKeyId of your own.",
        types=_DATABASES,
        check=_encrypted,
        example=Example(wrong=_database(storageEncrypted=False), mended=_database(storageEncrypted=True)),
    ),
    Rule(
        number=27,
        name="database-iam-login",
        area=Area.DATA,
        severity=Severity.MEDIUM,
        levels=DEV_MAY,
        ids=("CKV_AWS_161", "CKV_AWS_162"),
        title="People log in to databases by IAM",
        why="A token of IAM lasts a quarter of an hour and bears a name; a password is passed on.",
        mend="Set iamDatabaseAuthenticationEnabled to true.",
        types=frozenset({INSTANCE, CLUSTER}),
        check=_iam_login,
        example=Example(
            wrong=_database(iamDatabaseAuthenticationEnabled=False), mended=_database(iamDatabaseAuthenticationEnabled=True)
        ),
    ),
    Rule(
        number=28,
        name="snapshot-not-public",
        area=Area.DATA,
        severity=Severity.CRITICAL,
        levels=EVERYWHERE,
        ids=("CKV_AWS_302",),
        title="No snapshot of a database is shared with everybody",
        why="A public snapshot is a public copy of the data, and such are searched for.",
        mend="Name the accounts that restore it in sharedAccounts, and leave out all.",
        types=frozenset(SNAPSHOTS),
        check=_snapshot_shared,
        example=Example(wrong=(_SNAPSHOT,), mended=(_SHARED,)),
    ),
    Rule(
        number=29,
        name="bucket-not-public",
        area=Area.DATA,
        severity=Severity.HIGH,
        levels=EVERYWHERE,
        ids=("CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56", "CKV2_AWS_6", "CIS 3.1.4"),
        title="Public access to every bucket is blocked, by all four switches",
        why="Each switch stops a way that the others leave open: lists of grants, policies, old ones and new ones.",
        mend="Register aws.s3.BucketPublicAccessBlock for the bucket, with all four set to true.",
        check_stack=_blocked,
        example=Example(wrong=_bucket(blockPublicPolicy=False), mended=_bucket()),
    ),
    Rule(
        number=30,
        name="secret-rotated",
        area=Area.DATA,
        severity=Severity.MEDIUM,
        levels=ADVISED_LIKE_PRODUCTION,
        ids=("CKV_AWS_304", "CKV2_AWS_57"),
        title="Secrets are rotated",
        why="A secret that leaked unnoticed is worth nothing once it was rotated.",
        mend="Register aws.secretsmanager.SecretRotation for it, with at most maximumDays between two rotations.",
        check_stack=_rotated,
        schema={
            "maximumDays": {"type": "integer", "minimum": 1, "default": 90, "description": "Days between rotations, at most"}
        },
        example=Example(wrong=(_TOKEN,), mended=(_TOKEN, _TOKEN_ROTATION)),
    ),
)
