"""The way in: a load balancer with TLS, a firewall before it, and two target groups, blue and green, that share the traffic.

Owns who may knock and what is let through. The zone of the domain is somebody else's: who has it makes the record of
``dns_name``, and the one by which the certificate is validated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import acm, cloudwatch, ec2, lb, wafv2

from components.base import Component
from components.naming import fitted

COLOURS = ("blue", "green")
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
DRAINING_SECONDS = 30
RATE_SECONDS = 300
FIREWALL_LOG_DAYS = 90
# AWS's own rules, and which of each are only counted.
MANAGED_RULES = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (),
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",),  # it blocks bodies over 8 KiB, such as every picture
}


@dataclass(frozen=True, kw_only=True)
class PartnerValues:
    """A partner calls from ``cidrs``, under the names ``hosts``; one without both does not connect to this environment."""

    cidrs: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class IngressValues:
    """``domain`` is the name that it is called by, and partners' hosts are others: AWS takes five names in all.

    ``public_cidrs`` and the partners' may reach it; an address may make ``rate_limit`` requests in five minutes, a partner's as
    many as it likes. The ``weights`` of ``blue`` and ``green`` say how they share the traffic. Targets listen at ``port``, and
    are well where ``health_path`` answers 200. An ``internal`` load balancer has private addresses alone.
    """

    domain: str
    internal: bool
    public_cidrs: tuple[str, ...]
    partners: Mapping[str, PartnerValues]
    weights: Mapping[str, int]
    rate_limit: int
    health_path: str
    port: int
    deletion_protection: bool
    idle_timeout_seconds: int


@dataclass(frozen=True, kw_only=True)
class IngressArgs(IngressValues):
    """``vpc_cidr`` is where targets are. ``logs_bucket_name`` takes access logs, ``logs_key_arn`` encrypts the firewall's log."""

    tags: Mapping[str, str]
    vpc_id: pulumi.Input[str]
    vpc_cidr: str
    public_subnet_ids: Sequence[pulumi.Input[str]]
    private_subnet_ids: Sequence[pulumi.Input[str]]
    logs_bucket_name: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str] | None = None


class Ingress(Component):
    """Gives ``url``, ``dns_name``, ``security_group_id``, ``load_balancer_arn_suffix``, ``web_acl_arn``, ``certificate_arn``.

    By colour: ``target_group_arns`` and ``target_group_arn_suffixes``. ``listeners`` are the resources that must be there before
    a service can join a target group. The HTTPS listener waits for the certificate, and that for the record of its validation.
    """

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.tags, opts)
        self.args = args
        self.security_group = self._security_group()
        self.balancer = self._balancer()
        self.targets = {colour: self._targets(colour) for colour in COLOURS}
        self.certificate = self._certificate()
        self._redirect()
        self.listener = self._listener()
        self.traffic = self._traffic()
        self.firewall = self._firewall(self._partners())
        self._firewall_log()
        self.url = pulumi.Output.concat("https://", args.domain)
        self.dns_name = self.balancer.dns_name
        self.security_group_id = self.security_group.id
        self.load_balancer_arn_suffix = self.balancer.arn_suffix
        self.target_group_arns = {colour: group.arn for colour, group in self.targets.items()}
        self.target_group_arn_suffixes = {colour: group.arn_suffix for colour, group in self.targets.items()}
        self.listeners: list[pulumi.Resource] = [self.listener, self.traffic]
        self.certificate_arn = self.certificate.arn
        self.web_acl_arn = self.firewall.arn
        self.register_outputs(
            {
                "url": self.url,
                "dns_name": self.dns_name,
                "security_group_id": self.security_group_id,
                "load_balancer_arn_suffix": self.load_balancer_arn_suffix,
                "target_group_arns": self.target_group_arns,
                "target_group_arn_suffixes": self.target_group_arn_suffixes,
                "certificate_arn": self.certificate_arn,
                "web_acl_arn": self.web_acl_arn,
            }
        )

    # -- the load balancer ------------------------------------------------------------------------------------------------

    def _security_group(self) -> ec2.SecurityGroup:
        """Lets callers in, and out to the targets alone."""
        args = self.args
        callers = sorted({*args.public_cidrs, *self._partner_cidrs()})
        return ec2.SecurityGroup(
            self.child("balancer"),
            vpc_id=args.vpc_id,
            description="The load balancer",
            ingress=[_letting_in(443, callers), _letting_in(80, callers)] if callers else [],
            egress=[
                {
                    "protocol": "tcp",
                    "from_port": args.port,
                    "to_port": args.port,
                    "cidr_blocks": [args.vpc_cidr],
                    "description": "targets",
                }
            ],
            tags=self.named("balancer"),
            opts=self.options(),
        )

    def _balancer(self) -> lb.LoadBalancer:
        args = self.args
        side = "private" if args.internal else "public"
        # Both kinds in one output: the load balancer is to depend on the same resources whichever it stands in.
        subnets = pulumi.Output.all(public=list(args.public_subnet_ids), private=list(args.private_subnet_ids))
        return lb.LoadBalancer(
            fitted(self.child("balancer"), "aws:lb/loadBalancer:LoadBalancer"),
            load_balancer_type="application",
            internal=args.internal,
            security_groups=[self.security_group.id],
            subnets=subnets.apply(lambda ids: ids[side]),
            access_logs={"bucket": args.logs_bucket_name, "prefix": "balancer", "enabled": True},
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=args.deletion_protection,
            idle_timeout=args.idle_timeout_seconds,
            tags=self.named("balancer"),
            opts=self.options(),
        )

    def _targets(self, colour: str) -> lb.TargetGroup:
        return lb.TargetGroup(
            fitted(self.child(colour), "aws:lb/targetGroup:TargetGroup"),
            port=self.args.port,
            protocol="HTTP",
            target_type="ip",
            vpc_id=self.args.vpc_id,
            deregistration_delay=DRAINING_SECONDS,
            health_check={
                "path": self.args.health_path,
                "matcher": "200",
                "interval": 15,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            tags=self.named(colour),
            opts=self.options(),
        )

    def _certificate(self) -> acm.Certificate:
        return acm.Certificate(
            self.child("certificate"),
            domain_name=self.args.domain,
            subject_alternative_names=self._partner_hosts(),
            validation_method="DNS",
            tags=self.named("certificate"),
            opts=self.options(),
        )

    def _redirect(self) -> lb.Listener:
        return lb.Listener(
            self.child("http"),
            load_balancer_arn=self.balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[{"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}],
            tags=self.named("http"),
            opts=self.options(),
        )

    def _listener(self) -> lb.Listener:
        """Answers those who call by another name with 404. AWS takes a certificate only once it is validated."""
        validated = acm.CertificateValidation(
            self.child("certificate"), certificate_arn=self.certificate.arn, opts=self.options()
        )
        unknown: lb.ListenerDefaultActionArgsDict = {
            "type": "fixed-response",
            "fixed_response": {"content_type": "text/plain", "message_body": "Not found", "status_code": "404"},
        }
        return lb.Listener(
            self.child("https"),
            load_balancer_arn=self.balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=validated.certificate_arn,
            default_actions=[unknown],
            routing_http_response_server_enabled=False,
            routing_http_response_strict_transport_security_header_value=STRICT_TRANSPORT,
            tags=self.named("https"),
            opts=self.options(),
        )

    def _traffic(self) -> lb.ListenerRule:
        """Both colours stand in it, also one of weight 0: a switch of traffic changes two numbers here and nothing else."""
        forward: lb.ListenerRuleActionForwardArgsDict = {
            "target_groups": [{"arn": self.targets[colour].arn, "weight": self.args.weights[colour]} for colour in COLOURS],
            "stickiness": {"enabled": False, "duration": 1},
        }
        return lb.ListenerRule(
            self.child("traffic"),
            listener_arn=self.listener.arn,
            priority=1,
            conditions=[{"host_header": {"values": [self.args.domain, *self._partner_hosts()]}}],
            actions=[{"type": "forward", "forward": forward}],
            tags=self.named("traffic"),
            opts=self.options(),
        )

    # -- the firewall -----------------------------------------------------------------------------------------------------

    def _partners(self) -> wafv2.IpSet:
        return wafv2.IpSet(
            self.child("partners"),
            description="Partners, whose requests are not counted",
            scope="REGIONAL",
            ip_address_version="IPV4",
            addresses=self._partner_cidrs(),
            tags=self.named("partners"),
            opts=self.options(),
        )

    def _firewall(self, partners: wafv2.IpSet) -> wafv2.WebAcl:
        firewall = wafv2.WebAcl(
            self.child("firewall"),
            description="What the load balancer lets through",
            scope="REGIONAL",
            default_action={"allow": {}},
            rules=[self._rate_rule(partners), *(_managed_rule(i, name) for i, name in enumerate(MANAGED_RULES, 1))],
            visibility_config=_visible(self.child("firewall")),
            tags=self.named("firewall"),
            opts=self.options(),
        )
        wafv2.WebAclAssociation(
            self.child("firewall"), resource_arn=self.balancer.arn, web_acl_arn=firewall.arn, opts=self.options()
        )
        return firewall

    def _rate_rule(self, partners: wafv2.IpSet) -> wafv2.WebAclRuleArgsDict:
        """Counts the requests of each address that is no partner's."""
        return {
            "name": "rate",
            "priority": 0,
            "action": {"block": {}},
            "statement": {
                "rate_based_statement": {
                    "limit": self.args.rate_limit,
                    "aggregate_key_type": "IP",
                    "evaluation_window_sec": RATE_SECONDS,
                    "scope_down_statement": {
                        "not_statement": {"statement": {"ip_set_reference_statement": {"arn": partners.arn}}}
                    },
                }
            },
            "visibility_config": _visible("rate"),
        }

    def _firewall_log(self) -> None:
        group = cloudwatch.LogGroup(
            self.child("firewall"),
            # WAF writes to no log group that is not called so.
            name_prefix=f"aws-waf-logs-{self.name}-",
            retention_in_days=FIREWALL_LOG_DAYS,
            kms_key_id=self.args.logs_key_arn,
            tags=self.named("firewall"),
            opts=self.options(),
        )
        wafv2.WebAclLoggingConfiguration(
            self.child("firewall"),
            resource_arn=self.firewall.arn,
            log_destination_configs=[group.arn],
            redacted_fields=[{"single_header": {"name": name}} for name in ("authorization", "cookie")],
            opts=self.options(),
        )

    def _partner_cidrs(self) -> list[str]:
        return sorted({cidr for partner in self.args.partners.values() for cidr in partner.cidrs})

    def _partner_hosts(self) -> list[str]:
        return sorted({host for partner in self.args.partners.values() for host in partner.hosts})


def _letting_in(port: int, cidrs: list[str]) -> ec2.SecurityGroupIngressArgsDict:
    return {"protocol": "tcp", "from_port": port, "to_port": port, "cidr_blocks": cidrs, "description": "callers"}


def _managed_rule(priority: int, name: str) -> wafv2.WebAclRuleArgsDict:
    return {
        "name": name,
        "priority": priority,
        "override_action": {"none": {}},
        "statement": {
            "managed_rule_group_statement": {
                "vendor_name": "AWS",
                "name": name,
                "rule_action_overrides": [{"name": rule, "action_to_use": {"count": {}}} for rule in MANAGED_RULES[name]],
            }
        },
        "visibility_config": _visible(name),
    }


def _visible(metric: str) -> wafv2.WebAclVisibilityConfigArgsDict:
    return {"cloudwatch_metrics_enabled": True, "metric_name": metric, "sampled_requests_enabled": True}
