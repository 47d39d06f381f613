"""ElastiCache's resource types."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

_SUBNET = {"vpcId": Ref("vpc", "id")}
_NETWORK = {
    "vpc": Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}),
    "a": Need("aws:ec2/subnet:Subnet", {**_SUBNET, "cidrBlock": "10.0.1.0/24", "availabilityZone": "eu-west-1a"}),
    "b": Need("aws:ec2/subnet:Subnet", {**_SUBNET, "cidrBlock": "10.0.2.0/24", "availabilityZone": "eu-west-1b"}),
}
_PLACE = {
    **_NETWORK,
    "subnets": Need("aws:elasticache/subnetGroup:SubnetGroup", {"name": "shop", "subnetIds": [Ref("a", "id"), Ref("b", "id")]}),
    "closed": Need("aws:ec2/securityGroup:SecurityGroup", {"name": "cache", "vpcId": Ref("vpc", "id")}),
}

CASES = [
    Case(
        token="aws:elasticache/subnetGroup:SubnetGroup",
        needs=_NETWORK,
        inputs={"subnetIds": [Ref("a", "id")], "tags": {"a": "1"}},
        update={"subnetIds": [Ref("b", "id"), Ref("a", "id")], "description": "the cache's", "tags": {"a": "2"}},
        replace={"name": "other"},
        expect={"arn": str, "description": "Managed by Pulumi", "vpcId": str},
    ),
    Case(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        needs={**_PLACE, "topic": Need("aws:sns/topic:Topic", {"name": "cache"})},
        inputs={
            "description": "the shop's cache",
            "engine": "valkey",
            "engineVersion": "8.0",
            "nodeType": "cache.t4g.small",
            "numCacheClusters": 2,
            "automaticFailoverEnabled": True,
            "multiAzEnabled": True,
            "port": 6380,
            "subnetGroupName": Ref("subnets", "name"),
            "securityGroupIds": [Ref("closed", "id")],
            "atRestEncryptionEnabled": True,
            "transitEncryptionEnabled": True,
            "transitEncryptionMode": "required",
            "authToken": "a-token-of-sixteen",
            "maintenanceWindow": "Sun:05:00-sun:06:00",
            "snapshotRetentionLimit": 1,
            "logDeliveryConfigurations": [
                {"destination": "cache", "destinationType": "cloudwatch-logs", "logFormat": "json", "logType": "slow-log"}
            ],
            "tags": {"a": "1"},
        },
        update={
            "description": "a larger cache",
            "numCacheClusters": 3,
            "nodeType": "cache.r7g.large",
            "engineVersion": "8.1",
            "authToken": "another-token-of-sixteen",
            "notificationTopicArn": Ref("topic", "arn"),
            "snapshotRetentionLimit": None,
            "logDeliveryConfigurations": None,
            "tags": {"a": "2"},
        },
        replace={"subnetGroupName": "other"},
        expect={
            "arn": str,
            "memberClusters": list,
            "primaryEndpointAddress": str,
            "readerEndpointAddress": str,
            "engineVersionActual": "8.0.0",
            "numNodeGroups": 1,
            "replicasPerNodeGroup": 1,
            "parameterGroupName": "default.valkey8",
        },
    ),
    Case(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        name="alone",
        inputs={"replicationGroupId": "alone", "description": "one node", "nodeType": "cache.t4g.micro", "engineVersion": "7.1"},
        update={"numCacheClusters": 2, "automaticFailoverEnabled": True},
        replace={"engineVersion": "6.x"},
        expect={"engine": "redis", "numCacheClusters": 1, "port": 6379},
    ),
    Case(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        name="sharded",
        inputs={
            "replicationGroupId": "sharded",
            "description": "shards",
            "nodeType": "cache.t4g.micro",
            "numNodeGroups": 2,
            "replicasPerNodeGroup": 1,
            "automaticFailoverEnabled": True,
            "parameterGroupName": "default.redis7.cluster.on",
        },
        update={"numNodeGroups": 3, "replicasPerNodeGroup": 2},
        expect={"clusterEnabled": True, "clusterMode": "enabled", "configurationEndpointAddress": str, "numCacheClusters": 4},
    ),
    Case(
        token="aws:elasticache/cluster:Cluster",
        needs=_PLACE,
        inputs={
            "engine": "memcached",
            "nodeType": "cache.t4g.micro",
            "numCacheNodes": 2,
            "parameterGroupName": "default.memcached1.6",
            "subnetGroupName": Ref("subnets", "name"),
            "securityGroupIds": [Ref("closed", "id")],
            "maintenanceWindow": "sun:05:00-sun:06:00",
            "tags": {"a": "1"},
        },
        update={"numCacheNodes": 1, "maintenanceWindow": "mon:05:00-mon:06:00", "tags": {"a": "2"}},
        replace={"nodeType": "cache.t4g.small"},
        expect={"arn": str, "cacheNodes": list, "clusterAddress": str, "configurationEndpoint": str, "port": 11211},
    ),
    Case(
        token="aws:elasticache/cluster:Cluster",
        name="redis",
        inputs={"clusterId": "small", "engine": "redis", "nodeType": "cache.t4g.micro", "numCacheNodes": 1, "port": 6390},
        update={"nodeType": "cache.t4g.small", "snapshotRetentionLimit": 3},
        replace={"port": 6391},
        expect={"cacheNodes": list, "port": 6390},
    ),
    Case(
        token="aws:elasticache/user:User",
        inputs={
            "userId": "app",
            "userName": "app",
            "accessString": "on ~app:* +@read",
            "engine": "redis",
            "passwords": ["a-password-of-sixteen"],
            "tags": {"a": "1"},
        },
        update={"accessString": "on ~* +@all", "passwords": ["another-password-of-sixteen"], "tags": {"a": "2"}},
        replace={"userName": "other"},
        expect={"arn": str},
    ),
    Case(
        token="aws:elasticache/user:User",
        name="iam",
        inputs={
            "userId": "role",
            "userName": "role",
            "accessString": "on ~* +@all",
            "engine": "valkey",
            "authenticationMode": {"type": "iam"},
        },
    ),
]
