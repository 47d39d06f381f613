"""Uses what another project has made."""

import pulumi
import pulumi_aws as aws

network = pulumi.StackReference(pulumi.Config().require("network"))
group = aws.ec2.SecurityGroup("jobs", vpc_id=network.require_output("vpc_id"))
parameter = aws.ssm.Parameter(
    "peering", type="SecureString", value=network.require_output("peering_token"), name="/consumer/peering"
)
pulumi.export("group", group.id)
pulumi.export("first_subnet", network.get_output("subnet_ids").apply(lambda ids: ids[0]))
pulumi.export("token", network.get_output("peering_token"))
pulumi.export("nothing", network.get_output("no_such_output"))
