"""Elastic Load Balancing's resource types, under both of their names."""

from __future__ import annotations

from dataclasses import replace

from tests.rows.case import Case, Need, Ref

_VPC = Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})


def _subnet(number: int, zone: str) -> Need:
    return Need(
        "aws:ec2/subnet:Subnet",
        {"vpcId": Ref("vpc", "id"), "cidrBlock": f"10.0.{number}.0/24", "availabilityZone": f"eu-west-1{zone}"},
    )


_NETWORK = {"vpc": _VPC, "a": _subnet(1, "a"), "b": _subnet(2, "b")}
_SUBNETS = [Ref("a", "id"), Ref("b", "id")]
_BALANCER = Need("aws:lb/loadBalancer:LoadBalancer", {"name": "web", "subnets": _SUBNETS})
_OTHER_BALANCER = Need("aws:lb/loadBalancer:LoadBalancer", {"name": "other", "subnets": _SUBNETS})
_BLUE = Need(
    "aws:lb/targetGroup:TargetGroup",
    {"name": "blue", "port": 80, "protocol": "HTTP", "vpcId": Ref("vpc", "id"), "targetType": "ip"},
)
_GREEN = replace(_BLUE, inputs={**_BLUE.inputs, "name": "green"})
_GROUPS = {"blue": _BLUE, "green": _GREEN}
_LISTENER = Need(
    "aws:lb/listener:Listener",
    {
        "loadBalancerArn": Ref("balancer", "arn"),
        "port": 80,
        "defaultActions": [{"type": "fixed-response", "fixedResponse": {"contentType": "text/plain"}}],
    },
)
_CERTIFICATE = Need("aws:acm/certificate:Certificate", {"domainName": "shop.example", "validationMethod": "DNS"})
_MORE_CERTIFICATE = Need("aws:acm/certificate:Certificate", {"domainName": "more.example", "validationMethod": "DNS"})
_TLS_LISTENER = Need(
    "aws:lb/listener:Listener",
    {
        **_LISTENER.inputs,
        "port": 443,
        "protocol": "HTTPS",
        "certificateArn": Ref("certificate", "arn"),
    },
)


def _weighted(blue: int, green: int) -> list[dict[str, object]]:
    groups = [{"arn": Ref("blue", "arn"), "weight": blue}, {"arn": Ref("green", "arn"), "weight": green}]
    return [{"type": "forward", "forward": {"targetGroups": groups, "stickiness": {"duration": 60, "enabled": True}}}]


_CASES_OF_LB = [
    Case(
        token="aws:lb/loadBalancer:LoadBalancer",
        needs={
            **_NETWORK,
            "c": _subnet(3, "c"),
            "group": Need("aws:ec2/securityGroup:SecurityGroup", {"name": "web", "vpcId": Ref("vpc", "id")}),
            "bucket": Need("aws:s3/bucket:Bucket"),
        },
        inputs={
            "name": "shop",
            "internal": False,
            "securityGroups": [Ref("group", "id")],
            "subnets": _SUBNETS,
            "enableDeletionProtection": False,
            "idleTimeout": 120,
            "dropInvalidHeaderFields": True,
            "accessLogs": {"bucket": Ref("bucket", "bucket"), "enabled": True, "prefix": "web"},
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "idleTimeout": None,
            "accessLogs": {"bucket": Ref("bucket", "bucket"), "enabled": False, "prefix": "web"},
            "subnets": [Ref("b", "id"), Ref("c", "id")],
            "tags": {"a": "2"},
        },
        replace={"internal": True},
        expect={"arn": str, "arnSuffix": str, "dnsName": str, "zoneId": str, "vpcId": str, "enableHttp2": True},
    ),
    Case(
        token="aws:lb/loadBalancer:LoadBalancer",
        name="network",
        needs=_NETWORK,
        inputs={
            "loadBalancerType": "network",
            "internal": True,
            "subnetMappings": [
                {"subnetId": Ref("a", "id"), "privateIpv4Address": "10.0.1.9"},
                {"subnetId": Ref("b", "id"), "privateIpv4Address": "10.0.2.9"},
            ],
        },
        update={"enableCrossZoneLoadBalancing": True},
        replace={"subnetMappings": [{"subnetId": Ref("a", "id")}]},
        expect={"name": str, "subnets": list},
    ),
    Case(
        token="aws:lb/targetGroup:TargetGroup",
        needs=_NETWORK,
        inputs={
            "port": 8080,
            "protocol": "HTTP",
            "vpcId": Ref("vpc", "id"),
            "targetType": "ip",
            "deregistrationDelay": 30,
            "healthCheck": {"path": "/health", "matcher": "200-299", "interval": 15, "timeout": 5},
            "stickiness": {"type": "lb_cookie", "cookieDuration": 600},
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "deregistrationDelay": None,
            "healthCheck": {"path": "/up", "healthyThreshold": 2, "interval": 15, "timeout": 5, "enabled": True},
            "stickiness": {"type": "lb_cookie", "enabled": False},
            "slowStart": 40,
            "tags": {"a": "2"},
        },
        replace={"port": 80},
        expect={"arn": str, "arnSuffix": str, "name": str, "protocolVersion": "HTTP1"},
    ),
    Case(
        token="aws:lb/targetGroup:TargetGroup",
        name="network",
        needs=_NETWORK,
        inputs={
            "namePrefix": "tcp-",
            "port": 5432,
            "protocol": "TCP",
            "vpcId": Ref("vpc", "id"),
            "preserveClientIp": "false",
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": False, "unhealthyDrainingInterval": 9}],
            "targetGroupHealth": {"unhealthyStateRouting": {"minimumHealthyTargetsCount": 2}},
        },
        update={"proxyProtocolV2": True, "connectionTermination": True},
        expect={"name": str, "healthCheck": dict},
    ),
    Case(
        token="aws:lb/targetGroup:TargetGroup",
        name="function",
        inputs={"name": "function", "targetType": "lambda"},
        update={"lambdaMultiValueHeadersEnabled": True},
    ),
    Case(
        token="aws:lb/targetGroupAttachment:TargetGroupAttachment",
        needs={**_NETWORK, **_GROUPS},
        inputs={"targetGroupArn": Ref("blue", "arn"), "targetId": "10.0.1.5", "port": 8080},
        replace={"targetGroupArn": Ref("green", "arn")},
    ),
    Case(
        token="aws:lb/listener:Listener",
        needs={**_NETWORK, **_GROUPS, "balancer": _BALANCER, "other": _OTHER_BALANCER},
        inputs={
            "loadBalancerArn": Ref("balancer", "arn"),
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [{"type": "forward", "targetGroupArn": Ref("blue", "arn")}],
            "routingHttpResponseServerEnabled": False,
            "routingHttpResponseXFrameOptionsHeaderValue": "DENY",
            "tags": {"a": "1", "b": "1"},
        },
        update={"defaultActions": _weighted(90, 10), "port": 8080, "tags": {"a": "2"}},
        replace={"loadBalancerArn": Ref("other", "arn")},
        expect={"arn": str, "protocol": "HTTP"},
    ),
    Case(
        token="aws:lb/listener:Listener",
        name="redirect",
        needs={**_NETWORK, **_GROUPS, "balancer": _BALANCER},
        inputs={
            "loadBalancerArn": Ref("balancer", "arn"),
            "port": 80,
            "defaultActions": [{"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}}],
        },
        update={
            "defaultActions": [
                {
                    "type": "authenticate-oidc",
                    "authenticateOidc": {
                        "authorizationEndpoint": "https://id.example/authorize",
                        "clientId": "shop",
                        "clientSecret": "hush",
                        "issuer": "https://id.example",
                        "tokenEndpoint": "https://id.example/token",
                        "userInfoEndpoint": "https://id.example/me",
                    },
                },
                {"type": "forward", "targetGroupArn": Ref("blue", "arn")},
            ]
        },
        expect={"protocol": "HTTP"},
    ),
    Case(
        token="aws:lb/listener:Listener",
        name="tls",
        needs={**_NETWORK, **_GROUPS, "balancer": _BALANCER, "certificate": _CERTIFICATE, "more": _MORE_CERTIFICATE},
        inputs={
            "loadBalancerArn": Ref("balancer", "arn"),
            "port": 443,
            "protocol": "HTTPS",
            "certificateArn": Ref("certificate", "arn"),
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "defaultActions": _weighted(100, 0),
        },
        update={"certificateArn": Ref("more", "arn"), "defaultActions": _weighted(0, 100)},
        expect={"sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
    ),
    Case(
        token="aws:lb/listenerRule:ListenerRule",
        needs={**_NETWORK, **_GROUPS, "balancer": _BALANCER, "listener": _LISTENER},
        inputs={
            "listenerArn": Ref("listener", "arn"),
            "priority": 10,
            "actions": _weighted(50, 50),
            "conditions": [
                {"pathPattern": {"values": ["/api/*", "/v1/*"]}},
                {"hostHeader": {"values": ["shop.example"]}},
                {"httpHeader": {"httpHeaderName": "X-Stage", "values": ["blue"]}},
                {"queryStrings": [{"key": "q", "value": "1"}, {"value": "2"}]},
                {"sourceIp": {"values": ["10.0.0.0/8"]}},
            ],
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "priority": 20,
            "actions": [{"type": "forward", "targetGroupArn": Ref("green", "arn")}],
            "conditions": [{"httpRequestMethod": {"values": ["GET"]}}],
            "tags": {"a": "2"},
        },
        replace={"listenerArn": "elsewhere"},
        expect={"arn": str},
    ),
    Case(
        token="aws:lb/listenerRule:ListenerRule",
        name="next-priority",
        needs={
            **_NETWORK,
            **_GROUPS,
            "balancer": _BALANCER,
            "listener": _LISTENER,
            "rule": Need(
                "aws:lb/listenerRule:ListenerRule",
                {
                    "listenerArn": Ref("listener", "arn"),
                    "priority": 7,
                    "actions": [{"type": "forward", "targetGroupArn": Ref("green", "arn")}],
                    "conditions": [{"pathPattern": {"values": ["/new/*"]}}],
                },
            ),
        },
        inputs={
            "listenerArn": Ref("listener", "arn"),
            "actions": [{"type": "forward", "targetGroupArn": Ref("blue", "arn")}],
            "conditions": [{"pathPattern": {"values": ["/*"]}}],
        },
        update={"actions": _weighted(1, 0)},
        expect={"priority": 8},
    ),
    Case(
        token="aws:lb/listenerCertificate:ListenerCertificate",
        needs={
            **_NETWORK,
            "balancer": _BALANCER,
            "certificate": _CERTIFICATE,
            "more": _MORE_CERTIFICATE,
            "listener": _TLS_LISTENER,
        },
        inputs={"listenerArn": Ref("listener", "arn"), "certificateArn": Ref("more", "arn")},
        replace={"certificateArn": Ref("certificate", "arn")},
    ),
]

CASES = [
    *_CASES_OF_LB,
    *(replace(case, token=case.token.replace("aws:lb/", "aws:alb/")) for case in _CASES_OF_LB if not case.name),
]
