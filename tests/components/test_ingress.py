"""The way in, in somebody else's program: TLS for everybody, a firewall, and a switch of traffic that changes two numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.conftest import Alone, Program

SOURCE = """
import pulumi
from pulumi_aws import ec2, kms, s3

from components.ingress import Ingress, IngressArgs, PartnerValues

network = ec2.Vpc("theirs", cidr_block="10.9.0.0/16")


def subnets(kind, first):
    return [
        ec2.Subnet(f"{kind}-{zone}", vpc_id=network.id, cidr_block=f"10.9.{i}.0/24", availability_zone=f"eu-west-1{zone}")
        for i, zone in enumerate("ab", first)
    ]


public, private = subnets("public", 0), subnets("private", 2)
logs = s3.Bucket("theirs")
key = kms.Key("theirs")
values = pulumi.Config().require_object("values")
values["partners"] = {name: PartnerValues(**partner) for name, partner in values["partners"].items()}
ingress = Ingress(
    "shop",
    IngressArgs(
        tags={"team": "theirs"},
        vpc_id=network.id,
        vpc_cidr="10.9.0.0/16",
        public_subnet_ids=[subnet.id for subnet in public],
        private_subnet_ids=[subnet.id for subnet in private],
        logs_bucket_name=logs.bucket,
        logs_key_arn=key.arn,
        **values,
    ),
)
for name in ("url", "dns_name", "security_group_id", "target_group_arns", "load_balancer_arn_suffix",
             "target_group_arn_suffixes", "web_acl_arn", "certificate_arn"):
    pulumi.export(name, getattr(ingress, name))
pulumi.export("subnets", {"public": [subnet.id for subnet in public], "private": [subnet.id for subnet in private]})
pulumi.export("listeners", [listener.urn for listener in ingress.listeners])
"""
ACME = {"cidrs": ["203.0.113.0/28"], "hosts": ["acme.shop.example"]}
VALUES: dict[str, Any] = {
    "domain": "api.shop.example",
    "internal": False,
    "public_cidrs": ["198.51.100.0/24"],
    "partners": {"acme": ACME},
    "weights": {"blue": 100, "green": 0},
    "rate_limit": 2000,
    "health_path": "/healthz",
    "port": 8080,
    "deletion_protection": False,
    "idle_timeout_seconds": 60,
}
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
FIREWALL = "aws:wafv2/webAcl:WebAcl"
PARTNERS = "aws:wafv2/ipSet:IpSet"


@pytest.fixture(scope="module")
def shop(alone: Alone) -> Program:
    return alone(SOURCE, VALUES)


def reached(rules: list[dict[str, Any]]) -> dict[int, list[str]]:
    """Addresses by port; every rule is for one port of TCP."""
    assert all((rule["protocol"], rule["fromPort"]) == ("tcp", rule["toPort"]) for rule in rules)
    return {rule["toPort"]: sorted(rule["cidrBlocks"]) for rule in rules}


def shares(program: Program) -> dict[str, int]:
    """The weights that the rule in the cloud gives the target groups, by colour."""
    (action,) = program.cloud.client("elbv2").describe_rules(RuleArns=[program.one(RULE)["arn"]])["Rules"][0]["Actions"]
    colours = {arn: colour for colour, arn in program.outputs["target_group_arns"].items()}
    return {colours[group["TargetGroupArn"]]: group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]}


def test_the_public_and_partners_come_in_by_the_web_and_it_calls_the_targets_alone(shop: Program) -> None:
    group = shop.one(GROUP)
    callers = ["198.51.100.0/24", "203.0.113.0/28"]
    assert reached(group["ingress"]) == {80: callers, 443: callers}
    assert reached(group["egress"]) == {8080: ["10.9.0.0/16"]}
    assert shop.one(BALANCER)["securityGroups"] == [shop.outputs["security_group_id"]]


def test_the_load_balancer_logs_and_drops_what_is_malformed(shop: Program) -> None:
    balancer = shop.one(BALANCER)
    assert (balancer["internal"], balancer["dropInvalidHeaderFields"], balancer["idleTimeout"]) == (False, True, 60)
    assert balancer["accessLogs"]["enabled"] is True
    assert balancer["accessLogs"]["bucket"] == shop.one("aws:s3/bucket:Bucket")["bucket"]
    assert sorted(balancer["subnets"]) == sorted(shop.outputs["subnets"]["public"])


def test_whoever_comes_without_tls_is_sent_to_it_and_whoever_calls_by_another_name_finds_nothing(shop: Program) -> None:
    listeners = shop.all(LISTENER)
    (redirect,) = listeners["shop-http"]["defaultActions"]
    assert (redirect["type"], redirect["redirect"]["protocol"], redirect["redirect"]["port"]) == ("redirect", "HTTPS", "443")
    secure = listeners["shop-https"]
    assert (secure["port"], secure["protocol"], secure["sslPolicy"]) == (443, "HTTPS", "ELBSecurityPolicy-TLS13-1-2-2021-06")
    assert (secure["defaultActions"][0]["type"], secure["defaultActions"][0]["fixedResponse"]["statusCode"]) == (
        "fixed-response",
        "404",
    )
    assert secure["certificateArn"] == shop.outputs["certificate_arn"]
    assert secure["routingHttpResponseStrictTransportSecurityHeaderValue"].startswith("max-age=31536000")


def test_the_domain_and_the_partners_hosts_are_in_the_certificate_and_lead_to_both_colours(shop: Program) -> None:
    names = {"api.shop.example", "acme.shop.example"}
    certificate = shop.one("aws:acm/certificate:Certificate")
    assert {certificate["domainName"], *certificate["subjectAlternativeNames"]} == names
    (condition,) = shop.one(RULE)["conditions"]
    assert set(condition["hostHeader"]["values"]) == names
    assert shares(shop) == {"blue": 100, "green": 0}
    for group in shop.all("aws:lb/targetGroup:TargetGroup").values():
        assert (group["port"], group["targetType"], group["healthCheck"]["path"]) == (8080, "ip", "/healthz")


def test_the_firewall_counts_everybody_but_partners_and_logs_without_credentials(shop: Program) -> None:
    firewall, partners = shop.one(FIREWALL), shop.one(PARTNERS)
    rules = {rule["name"]: rule for rule in firewall["rules"]}
    assert partners["addresses"] == ["203.0.113.0/28"]
    counted = rules["rate"]["statement"]["rateBasedStatement"]
    assert (counted["limit"], "block" in rules["rate"]["action"]) == (2000, True)
    spared = counted["scopeDownStatement"]["notStatement"]["statement"]
    assert spared["ipSetReferenceStatement"]["arn"] == partners["arn"]
    managed = {rule["statement"]["managedRuleGroupStatement"]["name"] for name, rule in rules.items() if name != "rate"}
    assert managed >= {"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"}
    association = shop.one("aws:wafv2/webAclAssociation:WebAclAssociation")
    assert (association["webAclArn"], association["resourceArn"]) == (firewall["arn"], shop.one(BALANCER)["arn"])
    group = shop.one("aws:cloudwatch/logGroup:LogGroup")
    assert group["name"].startswith("aws-waf-logs-shop-")
    assert group["kmsKeyId"] == shop.one("aws:kms/key:Key")["arn"]
    log = shop.one("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")
    assert {field["singleHeader"]["name"] for field in log["redactedFields"]} == {"authorization", "cookie"}


def test_its_outputs_name_what_services_and_alarms_need(shop: Program) -> None:
    outputs, balancer = shop.outputs, shop.one(BALANCER)
    assert outputs["url"] == "https://api.shop.example"
    assert outputs["dns_name"] == balancer["dnsName"]
    assert balancer["arn"].endswith(f":loadbalancer/{outputs['load_balancer_arn_suffix']}")
    for colour, arn in outputs["target_group_arns"].items():
        assert arn.endswith(f":{outputs['target_group_arn_suffixes'][colour]}")
    assert [urn.rpartition("::")[2] for urn in outputs["listeners"]] == ["shop-https", "shop-traffic"]


def test_a_second_run_and_a_refresh_find_nothing_to_do(shop: Program) -> None:
    assert shop.up().changes.changes == 0
    assert shop.refresh().changes.changes == 0


def test_traffic_is_switched_and_partners_come_and_go_without_touching_the_rest(alone: Alone) -> None:
    shop = alone(SOURCE, VALUES)
    before = len(shop.resources)
    shop.up(weights={"blue": 0, "green": 100})
    assert shop.steps == {f"{RULE} shop-traffic": {"update"}}
    assert shares(shop) == {"blue": 0, "green": 100}

    shop.up(rate_limit=500)
    assert shop.steps == {f"{FIREWALL} shop-firewall": {"update"}}

    shop.up(partners={"acme": {**ACME, "cidrs": []}})
    assert shop.steps == {f"{GROUP} shop-balancer": {"update"}, f"{PARTNERS} shop-partners": {"update"}}
    assert shop.one(PARTNERS)["addresses"] == []

    shop.up(partners={"acme": {"cidrs": [], "hosts": []}})
    assert shop.steps == {
        "aws:acm/certificate:Certificate shop-certificate": {"replace", "delete"},
        "aws:acm/certificateValidation:CertificateValidation shop-certificate": {"replace", "delete"},
        f"{LISTENER} shop-https": {"update"},
        f"{RULE} shop-traffic": {"update"},
    }
    assert len(shop.resources) == before
    shop.destroy()
    assert shop.left == {}


def test_one_that_is_internal_has_the_same_resources_in_private_subnets(alone: Alone, shop: Program) -> None:
    hidden = alone(SOURCE, {**VALUES, "internal": True, "public_cidrs": ["10.9.0.0/16"], "partners": {}})
    balancer, private = hidden.one(BALANCER), hidden.outputs["subnets"]["private"]
    assert (balancer["internal"], sorted(balancer["subnets"])) == (True, sorted(private))

    def graph(program: Program) -> list[tuple[Any, ...]]:
        return sorted((r.urn, r.parent, sorted(r.dependencies)) for r in program.resources)

    assert graph(hidden) == graph(shop)
    hidden.destroy()


def test_a_protected_load_balancer_survives_an_attempt_to_destroy_it(alone: Alone) -> None:
    shop = alone(SOURCE, {**VALUES, "deletion_protection": True})
    with pytest.raises(AssertionError, match="deletion protection"):
        shop.destroy()
    shop.up(deletion_protection=False)
    shop.destroy()
    assert shop.left == {}
