"""What the local cloud says it holds: what users made, to the last thing, and nothing that AWS provides."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from isostack.localcloud.client import DEFAULT_ACCOUNT, Cloud
from isostack.localcloud.server import LocalCloud

Undo = Callable[[], Any]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
IMAGES = [{"Name": "owner-alias", "Values": ["amazon"]}, {"Name": "name", "Values": ["al2023-ami-2023*"]}]


def ec2(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("ec2")
    vpc = c.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = c.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    gateway = c.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    c.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    table = c.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    group = c.create_security_group(GroupName="a", Description="a", VpcId=vpc)["GroupId"]
    acl = c.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    address = c.allocate_address(Domain="vpc")["AllocationId"]
    nat = c.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    endpoint = c.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{cloud.region}.ecr.api",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
    )["VpcEndpoint"]["VpcEndpointId"]
    interface = c.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    image = c.describe_images(Filters=IMAGES)["Images"][0]["ImageId"]
    instance = c.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]
    cloud.client("logs").create_log_group(logGroupName="flows")
    flow_log = c.create_flow_logs(
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="ALL",
        LogGroupName="flows",
        DeliverLogsPermissionArn=f"arn:aws:iam::{cloud.account_id}:role/a",
    )["FlowLogIds"][0]
    c.create_key_pair(KeyName="a")
    volume = c.create_volume(AvailabilityZone=f"{cloud.region}a", Size=1)["VolumeId"]
    return 14, [
        lambda: c.delete_volume(VolumeId=volume),
        lambda: c.delete_key_pair(KeyName="a"),
        lambda: c.delete_flow_logs(FlowLogIds=[flow_log]),
        lambda: cloud.client("logs").delete_log_group(logGroupName="flows"),
        lambda: c.terminate_instances(InstanceIds=[instance]),
        lambda: c.delete_network_interface(NetworkInterfaceId=interface),
        lambda: c.delete_vpc_endpoints(VpcEndpointIds=[endpoint]),
        lambda: c.delete_nat_gateway(NatGatewayId=nat),
        lambda: c.release_address(AllocationId=address),
        lambda: c.delete_network_acl(NetworkAclId=acl),
        lambda: c.delete_security_group(GroupId=group),
        lambda: c.delete_route_table(RouteTableId=table),
        lambda: c.detach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway),
        lambda: c.delete_internet_gateway(InternetGatewayId=gateway),
        lambda: c.delete_subnet(SubnetId=subnet),
        lambda: c.delete_vpc(VpcId=vpc),
    ]


def iam(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("iam")
    c.create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)
    of_aws = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    c.attach_role_policy(RoleName="a", PolicyArn=of_aws)
    policy = c.create_policy(PolicyName="a", PolicyDocument=ALLOW)["Policy"]["Arn"]
    c.create_user(UserName="a")
    key = c.create_access_key(UserName="a")["AccessKey"]["AccessKeyId"]
    c.create_instance_profile(InstanceProfileName="a")
    return 5, [
        lambda: c.detach_role_policy(RoleName="a", PolicyArn=of_aws),
        lambda: c.delete_instance_profile(InstanceProfileName="a"),
        lambda: c.delete_access_key(UserName="a", AccessKeyId=key),
        lambda: c.delete_user(UserName="a"),
        lambda: c.delete_policy(PolicyArn=policy),
        lambda: c.delete_role(RoleName="a"),
    ]


def s3(cloud: Cloud) -> tuple[int, list[Undo]]:
    c, name = cloud.client("s3"), f"a-{cloud.account_id}"
    c.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.region})
    return 1, [lambda: c.delete_bucket(Bucket=name)]


def sqs(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("sqs")
    url = c.create_queue(QueueName="a")["QueueUrl"]
    return 1, [lambda: c.delete_queue(QueueUrl=url)]


def sns(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("sns")
    topic = c.create_topic(Name="a")["TopicArn"]
    c.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    return 2, [lambda: c.delete_topic(TopicArn=topic)]


def kms(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("kms")
    c.describe_key(KeyId="alias/aws/s3")
    key = c.create_key()["KeyMetadata"]["KeyId"]
    c.create_alias(AliasName="alias/a", TargetKeyId=key)
    return 1, [
        lambda: c.delete_alias(AliasName="alias/a"),
        lambda: c.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
    ]


def secretsmanager(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("secretsmanager")
    c.create_secret(Name="a", SecretString="a")
    c.create_secret(Name="b", SecretString="b")
    return 2, [
        lambda: c.delete_secret(SecretId="a"),
        lambda: c.delete_secret(SecretId="b", ForceDeleteWithoutRecovery=True),
    ]


def ssm(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("ssm")
    c.get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    c.put_parameter(Name="/a", Value="a", Type="String")
    return 1, [lambda: c.delete_parameter(Name="/a")]


def rds(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("rds")
    subnets = [s["SubnetId"] for s in cloud.client("ec2").describe_subnets()["Subnets"]]
    c.create_db_subnet_group(DBSubnetGroupName="a", DBSubnetGroupDescription="a", SubnetIds=subnets)
    c.create_db_parameter_group(DBParameterGroupName="a", DBParameterGroupFamily="postgres16", Description="a")
    c.create_db_instance(
        DBInstanceIdentifier="a",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="a",
        MasterUserPassword="not-a-secret",
        DBSubnetGroupName="a",
    )
    c.describe_db_instances()
    return 3, [
        lambda: c.delete_db_instance(DBInstanceIdentifier="a", SkipFinalSnapshot=True),
        lambda: c.delete_db_parameter_group(DBParameterGroupName="a"),
        lambda: c.delete_db_subnet_group(DBSubnetGroupName="a"),
    ]


def ecs(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("ecs")
    c.create_cluster(clusterName="a")
    containers = [{"name": "a", "image": "a", "memory": 128}]
    definition = c.register_task_definition(family="a", containerDefinitions=containers)["taskDefinition"]
    task = definition["taskDefinitionArn"]
    c.create_service(cluster="a", serviceName="a", taskDefinition=task, desiredCount=0)
    return 3, [
        lambda: c.delete_service(cluster="a", service="a", force=True),
        lambda: c.deregister_task_definition(taskDefinition=task),
        lambda: c.delete_cluster(cluster="a"),
    ]


def elbv2(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("elbv2")
    subnets = cloud.client("ec2").describe_subnets()["Subnets"]
    made = c.create_load_balancer(Name="a", Subnets=[subnet["SubnetId"] for subnet in subnets])["LoadBalancers"][0]
    group = c.create_target_group(Name="a", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])["TargetGroups"][0]
    return 2, [
        lambda: c.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"]),
        lambda: c.delete_target_group(TargetGroupArn=group["TargetGroupArn"]),
    ]


def ecr(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("ecr")
    c.create_repository(repositoryName="abc")
    return 1, [lambda: c.delete_repository(repositoryName="abc")]


def logs(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("logs")
    c.create_log_group(logGroupName="a")
    return 1, [lambda: c.delete_log_group(logGroupName="a")]


def cloudwatch(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("cloudwatch")
    c.put_metric_alarm(AlarmName="a", EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", Threshold=1.0)
    c.put_dashboard(DashboardName="a", DashboardBody='{"widgets": []}')
    return 2, [lambda: c.delete_alarms(AlarmNames=["a"]), lambda: c.delete_dashboards(DashboardNames=["a"])]


def events(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("events")
    c.create_event_bus(Name="a")
    c.put_rule(Name="a", EventPattern='{"source": ["a"]}', EventBusName="a")
    c.put_rule(Name="b", ScheduleExpression="rate(1 day)")
    return 3, [
        lambda: c.delete_rule(Name="a", EventBusName="a"),
        lambda: c.delete_rule(Name="b"),
        lambda: c.delete_event_bus(Name="a"),
    ]


def cloudtrail(cloud: Cloud) -> tuple[int, list[Undo]]:
    _, bucket = s3(cloud)
    c = cloud.client("cloudtrail")
    c.create_trail(Name="a-trail", S3BucketName=f"a-{cloud.account_id}")
    return 1, [lambda: c.delete_trail(Name="a-trail"), *bucket]


def route53(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("route53")
    zone = c.create_hosted_zone(Name="example.com", CallerReference="a")["HostedZone"]["Id"]
    return 1, [lambda: c.delete_hosted_zone(Id=zone)]


def dynamodb(cloud: Cloud) -> tuple[int, list[Undo]]:
    c = cloud.client("dynamodb")
    c.create_table(
        TableName="abc",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
    )
    return 1, [lambda: c.delete_table(TableName="abc")]


def lambda_(cloud: Cloud) -> tuple[int, list[Undo]]:
    role = cloud.client("iam").create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("a.py", "def a(event, context): return 1")
    c = cloud.client("lambda")
    c.create_function(FunctionName="a", Runtime="python3.13", Role=role, Handler="a.a", Code={"ZipFile": archive.getvalue()})
    return 1, [lambda: c.delete_function(FunctionName="a"), lambda: cloud.client("iam").delete_role(RoleName="a")]


NETWORK = (ec2, elbv2, route53)
DATA = (s3, sqs, sns, rds, dynamodb, secretsmanager, ssm, kms)
OTHER = (iam, ecs, ecr, lambda_, logs, cloudwatch, cloudtrail, events)


@pytest.mark.parametrize("make", NETWORK + DATA + OTHER, ids=lambda make: make.__name__)
def test_every_thing_counts_until_it_is_deleted(
    local_cloud: LocalCloud, cloud: Cloud, make: Callable[[Cloud], tuple[int, list[Undo]]]
) -> None:
    number, undo = make(cloud)
    service = make.__name__.rstrip("_")
    assert local_cloud.resources(cloud.account_id)[service] == number
    for step in undo:
        step()
    assert local_cloud.resources(cloud.account_id) == {}


def test_what_aws_provides_does_not_count(local_cloud: LocalCloud, cloud: Cloud) -> None:
    for region in ("eu-west-1", "us-east-1"):
        c = cloud.client("ec2", region)
        assert c.describe_vpcs()["Vpcs"][0]["IsDefault"]
        assert c.describe_images(Owners=["amazon"])["Images"]
        assert c.describe_prefix_lists()
    assert cloud.client("iam").list_policies(Scope="AWS")["Policies"]
    assert cloud.client("iam").list_policies(Scope="Local")["Policies"] == []
    assert cloud.client("ssm").get_parameters_by_path(Path="/aws/service/global-infrastructure/regions")["Parameters"]
    assert cloud.client("events").list_event_buses()["EventBuses"]
    assert cloud.client("kms").list_aliases()["Aliases"] is not None
    assert cloud.client("ecs").list_clusters()["clusterArns"] == []
    assert cloud.client("rds").describe_db_instances()["DBInstances"] == []
    assert local_cloud.resources(cloud.account_id) == {}


def test_counting_makes_no_account_and_no_region(local_cloud: LocalCloud) -> None:
    assert local_cloud.resources("100000000001") == {}
    assert local_cloud.resources("000000000000") == {}


def test_the_counts_of_all_accounts_and_regions_add_up(local_cloud: LocalCloud, cloud: Cloud) -> None:
    before = local_cloud.resources(cloud.account_id)
    cloud.client("sqs").create_queue(QueueName="a")
    cloud.client("sqs", "us-east-1").create_queue(QueueName="a")
    assert (before, local_cloud.resources(cloud.account_id)) == ({}, {"sqs": 2})
    assert local_cloud.resources()["sqs"] >= 2


def test_each_account_attaches_awss_own_policies_on_its_own(cloud: Cloud) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    other = Cloud(cloud.endpoint, account_id=cloud.account_id[::-1])
    for each in (cloud, other):
        each.client("iam").create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)
    cloud.client("iam").attach_role_policy(RoleName="a", PolicyArn=arn)
    assert cloud.client("iam").get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert other.client("iam").get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0
    document = cloud.client("iam").get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert "ecr:GetAuthorizationToken" in json.dumps(document)


@pytest.mark.parametrize("pattern", ["al2023-ami-2023*", "ubuntu/images/*"])
def test_the_images_that_programs_look_for_are_there(cloud: Cloud, pattern: str) -> None:
    images = cloud.client("ec2").describe_images(Filters=[{"Name": "name", "Values": [pattern]}])["Images"]
    assert {image["State"] for image in images} == {"available"}
    assert cloud.account_id != DEFAULT_ACCOUNT
