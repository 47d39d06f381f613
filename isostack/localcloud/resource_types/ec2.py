"""Amazon EC2: the rows of its parts, together. Each part says what it owns."""

from __future__ import annotations

from isostack.localcloud.resource_types import (
    ec2_addresses,
    ec2_dhcp,
    ec2_endpoints,
    ec2_flow_logs,
    ec2_gateways,
    ec2_images,
    ec2_instances,
    ec2_network_acls,
    ec2_peering,
    ec2_prefix_lists,
    ec2_route_associations,
    ec2_routes,
    ec2_security_group_rules,
    ec2_security_groups,
    ec2_subnets,
    ec2_vpcs,
)

RESOURCE_TYPES = (
    *ec2_vpcs.RESOURCE_TYPES,
    *ec2_subnets.RESOURCE_TYPES,
    *ec2_gateways.RESOURCE_TYPES,
    *ec2_addresses.RESOURCE_TYPES,
    *ec2_routes.RESOURCE_TYPES,
    *ec2_route_associations.RESOURCE_TYPES,
    *ec2_security_groups.RESOURCE_TYPES,
    *ec2_security_group_rules.RESOURCE_TYPES,
    *ec2_network_acls.RESOURCE_TYPES,
    *ec2_endpoints.RESOURCE_TYPES,
    *ec2_flow_logs.RESOURCE_TYPES,
    *ec2_prefix_lists.RESOURCE_TYPES,
    *ec2_dhcp.RESOURCE_TYPES,
    *ec2_peering.RESOURCE_TYPES,
    *ec2_images.RESOURCE_TYPES,
    *ec2_instances.RESOURCE_TYPES,
)

FUNCTIONS = (
    *ec2_vpcs.FUNCTIONS,
    *ec2_subnets.FUNCTIONS,
    *ec2_routes.FUNCTIONS,
    *ec2_security_groups.FUNCTIONS,
    *ec2_endpoints.FUNCTIONS,
    *ec2_prefix_lists.FUNCTIONS,
    *ec2_images.FUNCTIONS,
)
