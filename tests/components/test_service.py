"""Services and their cluster in somebody else's program: what they run, what they may do, and how many of them there are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.components.conftest import Alone, Program, policy

SOURCE = """
import pulumi
from pulumi_aws import ec2, kms, lb, s3, secretsmanager, sqs

from components.cluster import Cluster, ClusterArgs
from components.service import Service, ServiceArgs

tags = {"team": "theirs"}
network = ec2.Vpc("theirs", cidr_block="10.9.0.0/16")
subnets = [
    ec2.Subnet(f"theirs-{zone}", vpc_id=network.id, cidr_block=f"10.9.{i}.0/24", availability_zone=f"eu-west-1{zone}").id
    for i, zone in enumerate("ab")
]
group = ec2.SecurityGroup("theirs", vpc_id=network.id, description="Theirs")
balancer = lb.LoadBalancer("theirs", internal=True, subnets=subnets, security_groups=[group.id])
targets = lb.TargetGroup("theirs", port=8080, protocol="HTTP", target_type="ip", vpc_id=network.id)
listener = lb.Listener(
    "theirs",
    load_balancer_arn=balancer.arn,
    port=80,
    protocol="HTTP",
    default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
)
data_key, logs_key = kms.Key("data"), kms.Key("logs")
bucket, queue = s3.Bucket("theirs"), sqs.Queue("theirs")
secrets = {name: secretsmanager.Secret(name) for name in ("DATABASE_URL", "PAYMENT_KEY")}
cluster = Cluster("shop", ClusterArgs(tags=tags))
pulumi.export("cluster", {"arn": cluster.arn, "name": cluster.cluster_name})
values = pulumi.Config().require_object("values")
for role, target in (("web", "blue"), ("worker", None)):
    service = Service(
        f"shop-{role}",
        ServiceArgs(
            tags=tags,
            region="eu-west-1",
            cluster_arn=cluster.arn,
            cluster_name=cluster.cluster_name,
            vpc_id=network.id,
            subnet_ids=subnets,
            security_group_id=group.id,
            target=target,
            target_group_arn=targets.arn if target else None,
            listeners=[listener],
            bucket_name=bucket.bucket,
            bucket_arn=bucket.arn,
            queue_url=queue.url,
            queue_arn=queue.arn,
            secret_arns={name: secret.arn for name, secret in secrets.items()},
            key_arn=data_key.arn,
            logs_key_arn=logs_key.arn,
            secrets=("DATABASE_URL",) if target else (),
            **values,
        ),
    )
    names = ("service_name", "log_group_name", "task_role_arn", "task_role_name", "execution_role_arn")
    pulumi.export(role, {name: getattr(service, name) for name in names})
"""
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/backend"
VALUES: dict[str, Any] = {
    "image": f"{REPOSITORY}@sha256:{'a' * 64}",
    "cpu": 256,
    "memory_mb": 512,
    "min_count": 2,
    "max_count": 6,
    "target_cpu_percent": 60,
    "port": 8080,
    "environment": {"LOG_LEVEL": "info"},
    "log_days": 30,
    "release": "2026.11.1",
}
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
POLICY = "aws:iam/rolePolicy:RolePolicy"
TARGET = "aws:appautoscaling/target:Target"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def container(shop: Program, service: str) -> dict[str, Any]:
    """The only container of a service's task."""
    (only,) = json.loads(shop.one(TASK, f"{service}-task")["containerDefinitions"])
    return dict(only)


def named(pairs: list[Mapping[str, str]], value: str = "value") -> dict[str, str]:
    return {pair["name"]: pair[value] for pair in pairs}


def permissions(shop: Program, name: str) -> dict[str, dict[str, Any]]:
    """The statements of a role's policy, by what they are called."""
    return {statement["Sid"]: statement for statement in policy(shop.one(POLICY, name)["policy"])}


def test_the_cluster_counts_what_runs_in_it(shop: Program) -> None:
    cluster = shop.one("aws:ecs/cluster:Cluster")
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert shop.outputs["cluster"] == {"arn": cluster["arn"], "name": cluster["name"]}


def test_a_task_runs_the_image_as_nobody_on_a_filesystem_that_it_cannot_change(shop: Program) -> None:
    task = shop.one(TASK, "shop-web-task")
    sizes = task["family"], task["cpu"], task["memory"], task["networkMode"], task["requiresCompatibilities"]
    assert sizes == ("shop-web", "256", "512", "awsvpc", ["FARGATE"])
    app = container(shop, "shop-web")
    assert (app["image"], app["user"], app["readonlyRootFilesystem"]) == (VALUES["image"], "10001", True)
    assert app["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert [mount["containerPath"] for mount in app["mountPoints"]] == ["/tmp"]  # noqa: S108 - the container's, not ours
    assert [port["containerPort"] for port in app["portMappings"]] == [8080]


def test_a_task_finds_its_surroundings_in_variables_and_secrets_by_reference(shop: Program) -> None:
    app = container(shop, "shop-web")
    assert named(app["environment"]) == {
        "LOG_LEVEL": "info",
        "ASSET_BUCKET": shop.one("aws:s3/bucket:Bucket")["bucket"],
        "JOB_QUEUE_URL": shop.one("aws:sqs/queue:Queue")["url"],
        "PORT": "8080",
        "RELEASE": "2026.11.1",
        "AWS_REGION": "eu-west-1",
    }
    secrets = shop.all("aws:secretsmanager/secret:Secret")
    assert named(app["secrets"], "valueFrom") == {"DATABASE_URL": secrets["DATABASE_URL"]["arn"]}
    assert not container(shop, "shop-worker").get("secrets")


def test_logs_are_encrypted_kept_as_long_as_asked_and_written_by_the_task(shop: Program) -> None:
    group = shop.one("aws:cloudwatch/logGroup:LogGroup", "shop-web-logs")
    assert (group["retentionInDays"], group["kmsKeyId"]) == (30, shop.one("aws:kms/key:Key", "logs")["arn"])
    options = container(shop, "shop-web")["logConfiguration"]["options"]
    assert options["awslogs-group"] == shop.outputs["web"]["log_group_name"] == group["name"]


def test_starting_a_task_may_write_its_log_read_its_secret_and_pull_its_image(shop: Program) -> None:
    may = permissions(shop, "shop-web-execution")
    secret = shop.one("aws:secretsmanager/secret:Secret", "DATABASE_URL")["arn"]
    assert {sid: statement["Resource"] for sid, statement in may.items()} == {
        "Log": shop.one("aws:cloudwatch/logGroup:LogGroup", "shop-web-logs")["arn"] + ":*",
        "ReadSecrets": [secret],
        "DecryptSecrets": shop.one("aws:kms/key:Key", "data")["arn"],
        "LogInToTheRegistry": "*",
        "PullTheImage": "arn:aws:ecr:eu-west-1:123456789012:repository/shop/backend",
    }
    assert may["LogInToTheRegistry"]["Action"] == "ecr:GetAuthorizationToken"
    assert may["DecryptSecrets"]["Condition"]["StringEquals"] == {
        "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com",
        "kms:EncryptionContext:SecretARN": [secret],
    }
    assert permissions(shop, "shop-worker-execution").keys() == {"Log", "LogInToTheRegistry", "PullTheImage"}


def test_a_task_may_use_its_bucket_its_queue_and_the_key_through_them(shop: Program) -> None:
    may = permissions(shop, "shop-web-task")
    bucket = shop.one("aws:s3/bucket:Bucket")["arn"]
    assert {sid: statement["Resource"] for sid, statement in may.items()} == {
        "KeepAssets": f"{bucket}/*",
        "ListAssets": bucket,
        "HandleJobs": shop.one("aws:sqs/queue:Queue")["arn"],
        "UseTheKeyThroughThem": shop.one("aws:kms/key:Key", "data")["arn"],
    }
    assert may["UseTheKeyThroughThem"]["Condition"]["StringEquals"]["kms:ViaService"] == [
        "s3.eu-west-1.amazonaws.com",
        "sqs.eu-west-1.amazonaws.com",
    ]
    actions = [
        action for one in may.values() for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]
    assert [action for action in actions if "*" in action] == []


def test_its_roles_are_for_tasks_of_this_account_alone(shop: Program) -> None:
    for role in shop.all("aws:iam/role:Role").values():
        (trust,) = policy(role["assumeRolePolicy"])
        assert (trust["Principal"], trust["Action"]) == ({"Service": "ecs-tasks.amazonaws.com"}, "sts:AssumeRole")
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": shop.account}
        assert trust["Condition"]["ArnLike"] == {"aws:SourceArn": f"arn:aws:ecs:eu-west-1:{shop.account}:*"}


def test_it_runs_without_a_public_address_and_goes_back_when_a_deployment_fails(shop: Program) -> None:
    service = shop.one(SERVICE, "shop-web-service")
    assert service["networkConfiguration"]["assignPublicIp"] is False
    assert service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service["deploymentMinimumHealthyPercent"] == 100
    assert service["taskDefinition"] == shop.one(TASK, "shop-web-task")["arn"]


def test_it_joins_its_target_group_if_it_has_one(shop: Program) -> None:
    (balancer,) = shop.one(SERVICE, "shop-web-service")["loadBalancers"]
    assert balancer["targetGroupArn"] == shop.one("aws:lb/targetGroup:TargetGroup")["arn"]
    assert (balancer["containerName"], balancer["containerPort"]) == (container(shop, "shop-web")["name"], 8080)
    assert shop.one(SERVICE, "shop-worker-service")["loadBalancers"] == []


def test_it_is_scaled_by_the_cpu_that_it_uses(shop: Program) -> None:
    target = shop.one(TARGET, "shop-web-scaling")
    where = f"service/{shop.outputs['cluster']['name']}/{shop.outputs['web']['service_name']}"
    assert (target["resourceId"], target["minCapacity"], target["maxCapacity"]) == (where, 2, 6)
    rule = shop.one("aws:appautoscaling/policy:Policy", "shop-web-scaling")
    tracked = rule["targetTrackingScalingPolicyConfiguration"]
    assert (rule["resourceId"], tracked["targetValue"]) == (where, 60)
    assert tracked["predefinedMetricSpecification"]["predefinedMetricType"] == "ECSServiceAverageCPUUtilization"


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_another_image_is_another_revision_of_the_same_services(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    names = {name: service["name"] for name, service in shop.all(SERVICE).items()}
    shop.up(image=f"{REPOSITORY}@sha256:{'b' * 64}", release="2026.11.2")
    changed = {step for step, done in shop.steps.items() if done == {"update"}}
    assert changed == {f"{SERVICE} shop-web-service", f"{SERVICE} shop-worker-service"}
    assert shop.steps.keys() - changed == {f"{TASK} shop-web-task", f"{TASK} shop-worker-task"}
    assert {name: service["name"] for name, service in shop.all(SERVICE).items()} == names
    assert shop.one(TASK, "shop-web-task")["revision"] == 2
    assert "b" * 64 in container(shop, "shop-web")["image"]

    shop.up(min_count=3, max_count=9)
    scaled = {f"{TARGET} shop-web-scaling": {"update"}, f"{TARGET} shop-worker-scaling": {"update"}}
    assert shop.steps == scaled, "how many run is the scaling's from the first day on"
    assert shop.one(SERVICE, "shop-web-service")["desiredCount"] == 2

    shop.up(image="registry.example/shop/backend@sha256:" + "c" * 64)
    assert "PullTheImage" not in permissions(shop, "shop-web-execution")
    shop.destroy()
    assert shop.left == {}
