"""Route 53's resource types."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

_ZONE = Need("aws:route53/zone:Zone", {"name": "shop.example", "forceDestroy": False})
_OTHER = Need("aws:route53/zone:Zone", {"name": "other.example"})
_VPC = Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})

CASES = [
    Case(
        token="aws:route53/zone:Zone",
        inputs={"name": "shop.example.", "forceDestroy": True, "tags": {"a": "1", "b": "1"}},
        update={"comment": "the shop", "tags": {"a": "2"}},
        replace={"name": "store.example"},
        expect={"zoneId": str, "nameServers": list, "primaryNameServer": str, "comment": "Managed by Pulumi"},
    ),
    Case(
        token="aws:route53/zone:Zone",
        name="private",
        needs={"one": _VPC, "two": _VPC},
        inputs={"name": "internal.shop", "vpcs": [{"vpcId": Ref("one", "id")}]},
        update={"vpcs": [{"vpcId": Ref("two", "id")}]},
        expect={"zoneId": str, "nameServers": list, "vpcs": list},
    ),
    Case(
        token="aws:route53/record:Record",
        needs={"zone": _ZONE, "other": _OTHER},
        inputs={"zoneId": Ref("zone", "zoneId"), "name": "www", "type": "A", "ttl": 300, "records": ["10.0.0.1", "10.0.0.2"]},
        update={"ttl": 60, "records": ["10.0.0.3"]},
        replace={"zoneId": Ref("other", "zoneId")},
        expect={"fqdn": "www.shop.example", "ttl": 300},
    ),
    Case(
        token="aws:route53/record:Record",
        name="alias",
        needs={"zone": _ZONE},
        inputs={
            "zoneId": Ref("zone", "zoneId"),
            "name": "shop.example",
            "type": "A",
            "aliases": [{"name": "Lb-1.elb.amazonaws.com", "zoneId": "Z32O12XQLNTSW2", "evaluateTargetHealth": True}],
        },
        update={"aliases": None, "ttl": 60, "records": ["10.0.0.3"]},
        replace={"type": "AAAA"},
        expect={"fqdn": "shop.example"},
    ),
    Case(
        token="aws:route53/record:Record",
        name="weighted",
        needs={
            "zone": _ZONE,
            "rest": Need(
                "aws:route53/record:Record",
                {
                    "zoneId": Ref("zone", "zoneId"),
                    "name": "api.shop.example",
                    "type": "CNAME",
                    "ttl": 60,
                    "records": ["green.shop.example"],
                    "setIdentifier": "green",
                    "weightedRoutingPolicies": [{"weight": 10}],
                },
            ),
        },
        inputs={
            "zoneId": Ref("zone", "zoneId"),
            "name": "api.shop.example",
            "type": "CNAME",
            "ttl": 60,
            "records": ["blue.shop.example"],
            "setIdentifier": "blue",
            "weightedRoutingPolicies": [{"weight": 90}],
        },
        update={"weightedRoutingPolicies": [{"weight": 0}]},
        replace={"setIdentifier": "teal"},
        expect={"weightedRoutingPolicies": [{"weight": 90}]},
    ),
    Case(
        token="aws:route53/record:Record",
        name="text",
        needs={"zone": _ZONE},
        inputs={
            "zoneId": Ref("zone", "zoneId"),
            "name": "_dmarc.shop.example.",
            "type": "TXT",
            "ttl": 60,
            "records": ["v=DMARC1; p=none"],
            "allowOverwrite": True,
        },
        update={"records": ["v=DMARC1; p=reject"]},
        replace={"name": "_spf.shop.example"},
        expect={"fqdn": "_dmarc.shop.example"},
    ),
    Case(
        token="aws:route53/record:Record",
        name="wildcard-geolocation",
        needs={"zone": _ZONE},
        inputs={
            "zoneId": Ref("zone", "zoneId"),
            "name": "*.shop.example",
            "type": "A",
            "ttl": 60,
            "records": ["10.0.0.1"],
            "setIdentifier": "eu",
            "geolocationRoutingPolicies": [{"continent": "EU"}],
        },
        update={"geolocationRoutingPolicies": None, "latencyRoutingPolicies": [{"region": "eu-west-1"}]},
        expect={"fqdn": "*.shop.example"},
    ),
]
