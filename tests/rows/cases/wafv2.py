"""AWS WAF's resource types."""

from __future__ import annotations

import json
from typing import Any

from tests.rows.case import Case, Need, Ref


def visible(name: str) -> dict[str, Any]:
    return {"cloudwatchMetricsEnabled": True, "metricName": name, "sampledRequestsEnabled": True}


_TRANSFORMATIONS = [{"priority": 0, "type": "NONE"}]
_IP_SET = Need("aws:wafv2/ipSet:IpSet", {"name": "partners", "scope": "REGIONAL", "ipAddressVersion": "IPV4"})
_ACL_INPUTS = {"scope": "REGIONAL", "defaultAction": {"allow": {}}, "visibilityConfig": visible("shop")}
_ACL = Need("aws:wafv2/webAcl:WebAcl", {**_ACL_INPUTS, "name": "shop"})
_SUBNET = {"vpcId": Ref("vpc", "id")}
_RATE_LIMIT = {
    "name": "rate",
    "priority": 1,
    "action": {"block": {"customResponse": {"responseCode": 429, "customResponseBodyKey": "slow"}}},
    "statement": {
        "rateBasedStatement": {
            "aggregateKeyType": "FORWARDED_IP",
            "evaluationWindowSec": 300,
            "limit": 2000,
            "forwardedIpConfig": {"fallbackBehavior": "MATCH", "headerName": "X-Forwarded-For"},
            "scopeDownStatement": {"notStatement": {"statement": {"geoMatchStatement": {"countryCodes": ["GB", "DE"]}}}},
        }
    },
    "ruleLabels": [{"name": "limited"}],
    "visibilityConfig": visible("rate"),
}
_MANAGED = {
    "name": "common",
    "priority": 2,
    "overrideAction": {"none": {}},
    "statement": {
        "managedRuleGroupStatement": {
            "vendorName": "AWS",
            "name": "AWSManagedRulesCommonRuleSet",
            "ruleActionOverrides": [{"name": "SizeRestrictions_BODY", "actionToUse": {"count": {}}}],
        }
    },
    "visibilityConfig": visible("common"),
}
_PARTNERS = {
    "name": "partners",
    "priority": 0,
    "action": {"allow": {"customRequestHandling": {"insertHeaders": [{"name": "partner", "value": "yes"}]}}},
    "statement": {"ipSetReferenceStatement": {"arn": Ref("partners", "arn")}},
    "visibilityConfig": visible("partners"),
}
_ADMIN = {
    "name": "admin",
    "priority": 3,
    "action": {"count": {}},
    "statement": {
        "andStatement": {
            "statements": [
                {
                    "byteMatchStatement": {
                        "fieldToMatch": {"uriPath": {}},
                        "positionalConstraint": "STARTS_WITH",
                        "searchString": "/admin",
                        "textTransformations": _TRANSFORMATIONS,
                    }
                },
                {
                    "sizeConstraintStatement": {
                        "comparisonOperator": "GT",
                        "size": 100,
                        "fieldToMatch": {
                            "headers": [
                                {
                                    "matchPattern": {"includedHeaders": ["cookie"]},
                                    "matchScope": "ALL",
                                    "oversizeHandling": "MATCH",
                                }
                            ]
                        },
                        "textTransformations": _TRANSFORMATIONS,
                    }
                },
            ]
        }
    },
    "visibilityConfig": visible("admin"),
}
_ELSEWHERE = {
    "name": "elsewhere",
    "priority": 4,
    "action": {"block": {}},
    "statement": {"notStatement": {"statements": [{"geoMatchStatement": {"countryCodes": ["GB"]}}]}},
    "visibilityConfig": visible("elsewhere"),
}

CASES = [
    Case(
        token="aws:wafv2/ipSet:IpSet",
        inputs={
            "scope": "REGIONAL",
            "ipAddressVersion": "IPV4",
            "addresses": ["203.0.113.0/24", "198.51.100.7/32"],
            "description": "partners",
            "tags": {"a": "1"},
        },
        update={"addresses": ["198.51.100.7/32"], "description": "one partner", "tags": {"b": "2"}},
        replace={"ipAddressVersion": "IPV6", "addresses": ["2001:db8::/56"]},
        expect={"arn": str, "lockToken": str, "name": str},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/ipSet:IpSet",
        name="cloudfront",
        inputs={"region": "us-east-1", "scope": "CLOUDFRONT", "ipAddressVersion": "IPV6", "addresses": [], "tags": {"a": "1"}},
        update={"addresses": ["2001:db8::/56"], "tags": {"a": "2"}},
        replace={"name": "other"},
        importable=False,
    ),
    Case(
        token="aws:wafv2/regexPatternSet:RegexPatternSet",
        inputs={
            "scope": "REGIONAL",
            "description": "bots",
            "regularExpressions": [{"regexString": "bot"}, {"regexString": "^crawl"}],
            "tags": {"a": "1"},
        },
        update={"regularExpressions": [{"regexString": "spider"}], "tags": {"a": "2"}},
        replace={"name": "other"},
        expect={"arn": str, "lockToken": str},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/webAcl:WebAcl",
        needs={"partners": _IP_SET},
        inputs={
            **_ACL_INPUTS,
            "description": "in front of the shop",
            "rules": [_PARTNERS, _RATE_LIMIT, _MANAGED, _ADMIN],
            "customResponseBodies": [{"key": "slow", "content": "slow down", "contentType": "TEXT_PLAIN"}],
            "captchaConfig": {"immunityTimeProperty": {"immunityTime": 120}},
            "associationConfig": {"requestBodies": [{"apiGateway": {"defaultSizeInspectionLimit": "KB_64"}}]},
            "tokenDomains": ["shop.example"],
            "tags": {"a": "1"},
        },
        update={
            "defaultAction": {"block": {"customResponse": {"responseCode": 403}}},
            "description": "closed",
            "captchaConfig": None,
            "associationConfig": None,
            "customResponseBodies": None,
            "tokenDomains": None,
            "rules": [{**_MANAGED, "overrideAction": {"count": {}}, "priority": 0}],
            "tags": {"a": "2"},
        },
        replace={"name": "other"},
        expect={"arn": str, "capacity": int, "lockToken": str},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/webAcl:WebAcl",
        name="switch",
        inputs=_ACL_INPUTS,
        update={"defaultAction": {"block": {}}},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/webAcl:WebAcl",
        name="counting",
        inputs={**_ACL_INPUTS, "rules": [_MANAGED]},
        update={"rules": [{**_MANAGED, "overrideAction": {"count": {}}}]},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/webAcl:WebAcl",
        name="json",
        inputs={
            **_ACL_INPUTS,
            "ruleJson": json.dumps(
                [
                    {
                        "Name": "countries",
                        "Priority": 0,
                        "Action": {"Block": {}},
                        "Statement": {"GeoMatchStatement": {"CountryCodes": ["GB"]}},
                        "VisibilityConfig": {
                            "CloudWatchMetricsEnabled": True,
                            "MetricName": "countries",
                            "SampledRequestsEnabled": False,
                        },
                    }
                ]
            ),
        },
        update={"ruleJson": None},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/ruleGroup:RuleGroup",
        needs={"partners": _IP_SET},
        inputs={
            "scope": "REGIONAL",
            "capacity": 500,
            "description": "shared rules",
            "visibilityConfig": visible("group"),
            "rules": [_PARTNERS, _ADMIN, _ELSEWHERE],
            "tags": {"a": "1"},
        },
        update={"rules": [_ADMIN], "visibilityConfig": visible("other"), "tags": {"a": "2"}},
        replace={"capacity": 600},
        expect={"arn": str, "lockToken": str},
        import_id="{id}/{name}/{scope}",
    ),
    Case(
        token="aws:wafv2/webAclAssociation:WebAclAssociation",
        needs={
            "acl": _ACL,
            "vpc": Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}),
            "a": Need("aws:ec2/subnet:Subnet", {**_SUBNET, "cidrBlock": "10.0.1.0/24", "availabilityZone": "eu-west-1a"}),
            "b": Need("aws:ec2/subnet:Subnet", {**_SUBNET, "cidrBlock": "10.0.2.0/24", "availabilityZone": "eu-west-1b"}),
            "balancer": Need("aws:lb/loadBalancer:LoadBalancer", {"name": "shop", "subnets": [Ref("a", "id"), Ref("b", "id")]}),
        },
        inputs={"webAclArn": Ref("acl", "arn"), "resourceArn": Ref("balancer", "arn")},
        replace={"webAclArn": "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/other/1"},
    ),
    Case(
        token="aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        needs={
            "acl": _ACL,
            "log": Need("aws:cloudwatch/logGroup:LogGroup", {"name": "aws-waf-logs-shop"}),
        },
        inputs={
            "resourceArn": Ref("acl", "arn"),
            "logDestinationConfigs": [Ref("log", "arn")],
            "redactedFields": [{"singleHeader": {"name": "authorization"}}, {"queryString": {}}],
            "loggingFilter": {
                "defaultBehavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [
                            {"actionCondition": {"action": "BLOCK"}},
                            {"labelNameCondition": {"labelName": "limited"}},
                        ],
                    }
                ],
            },
        },
        update={"redactedFields": [{"method": {}}, {"singleHeader": {"name": "cookie"}}], "loggingFilter": None},
        replace={"logDestinationConfigs": ["arn:aws:s3:::aws-waf-logs-other"]},
    ),
]
