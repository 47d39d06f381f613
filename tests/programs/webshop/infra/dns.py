"""The shop's names."""

import pulumi
import pulumi_aws as aws


class Names(pulumi.ComponentResource):
    def __init__(self, name: str, domain: str, target: aws.lb.LoadBalancer, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("webshop:dns:Names", name, None, opts)
        self.zone = aws.route53.Zone(f"{name}-zone", name=domain, opts=pulumi.ResourceOptions(parent=self))
        child = pulumi.ResourceOptions(parent=self.zone)
        self.shop = aws.route53.Record(
            f"{name}-shop",
            zone_id=self.zone.zone_id,
            name=f"shop.{domain}",
            type="A",
            aliases=[{"name": target.dns_name, "zone_id": target.zone_id, "evaluate_target_health": True}],
            opts=child,
        )
        aws.route53.Record(
            f"{name}-mail",
            zone_id=self.zone.zone_id,
            name=domain,
            type="MX",
            ttl=3600,
            records=["10 mail.shop.example"],
            opts=child,
        )
        self.register_outputs({"zone": self.zone.zone_id})
