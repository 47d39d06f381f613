"""AWS WAF: web ACLs and rule groups, what they protect and where they log; with the rows of WAF's sets.

Source: the WAFV2 API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import wafv2_sets
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType
from isostack.localcloud.resource_types.wafv2_blocks import IN_RULE_GROUPS, IN_WEB_ACLS, checked, rules_of_json
from isostack.localcloud.resource_types.wafv2_sets import ABSENT, client, creation, described, ids_by_name, named, retag, tags_of

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Blocks of a web ACL: the property to the API's parameter.
_BLOCKS = {
    "associationConfig": "AssociationConfig",
    "captchaConfig": "CaptchaConfig",
    "challengeConfig": "ChallengeConfig",
    "dataProtectionConfig": "DataProtectionConfig",
    "defaultAction": "DefaultAction",
    "rules": "Rules",
    "tokenDomains": "TokenDomains",
    "visibilityConfig": "VisibilityConfig",
}
_INSPECTED = {
    "apiGateway": "API_GATEWAY",
    "appRunnerService": "APP_RUNNER_SERVICE",
    "cloudfront": "CLOUDFRONT",
    "cognitoUserPool": "COGNITO_USER_POOL",
    "verifiedAccessInstance": "VERIFIED_ACCESS_INSTANCE",
}

# By operation: how blocks are spelled, and the property that may give the rules as JSON.
_SPELLINGS = {"CreateRuleGroup": (IN_RULE_GROUPS, "rulesJson"), "CreateWebACL": (IN_WEB_ACLS, "ruleJson")}


def _shapes(cloud: Cloud, operation: str) -> Any:
    return cloud.client("wafv2").meta.service_model.operation_model(operation).input_shape.members


def _parameters(cloud: Cloud, operation: str, inputs: Properties) -> dict[str, Any]:
    """The blocks of a create or update call, which sets all of them."""
    spelling, json_rules = _SPELLINGS[operation]
    if inputs.get("monetizationConfig"):
        raise ProviderError("wafv2: monetizationConfig is not supported on the local cloud; leave it out")
    if inputs.get("rules") and inputs.get(json_rules):
        raise ProviderError(f"wafv2: rules and {json_rules} exclude each other; give one of them")
    shapes = _shapes(cloud, operation)
    parameters = {
        parameter: spelling.to_api(shapes[parameter], inputs[name])
        for name, parameter in _BLOCKS.items()
        if name in inputs and name != "associationConfig" and parameter in shapes
    }
    if inputs.get("associationConfig"):
        parameters["AssociationConfig"] = _association_config(inputs["associationConfig"])
    if inputs.get(json_rules):
        parameters["Rules"] = rules_of_json(inputs[json_rules], json_rules)
    _require_distinct_rules(parameters.get("Rules") or [])
    if inputs.get("customResponseBodies"):
        parameters["CustomResponseBodies"] = {
            body["key"]: {"Content": body["content"], "ContentType": body["contentType"]}
            for body in inputs["customResponseBodies"]
        }
    return parameters


def _require_distinct_rules(rules: list[dict[str, Any]]) -> None:
    """Refuse what WAF refuses and moto takes: two rules of one priority, or a rule without an action of the right kind."""
    taken: dict[int, str] = {}
    for rule in rules:
        name, priority = rule["Name"], rule["Priority"]
        if priority in taken:
            raise ProviderError(
                f"WAFInvalidParameterException: rules {taken[priority]!r} and {name!r} both have priority {priority}; "
                "give each rule a priority of its own"
            )
        taken[priority] = name
        statement = rule.get("Statement") or {}
        of_a_group = "ManagedRuleGroupStatement" in statement or "RuleGroupReferenceStatement" in statement
        needed, other = ("OverrideAction", "Action") if of_a_group else ("Action", "OverrideAction")
        if not rule.get(needed) or rule.get(other):
            what = "refers to a rule group" if of_a_group else "has a statement of its own"
            spelled = {"Action": "action", "OverrideAction": "overrideAction"}
            raise ProviderError(
                f"WAFInvalidParameterException: rule {name!r} {what} and needs {spelled[needed]}, not {spelled[other]}"
            )


def _association_config(block: Properties) -> dict[str, Any]:
    bodies = {name: item for part in block.get("requestBodies") or [] for name, item in part.items() if item}
    return {
        "RequestBody": {
            _INSPECTED[name]: {"DefaultSizeInspectionLimit": item["defaultSizeInspectionLimit"]} for name, item in bodies.items()
        }
    }


def _block_outputs(cloud: Cloud, operation: str, found: dict[str, Any], known: Properties) -> Properties:
    shapes = _shapes(cloud, operation)
    spelling, json_rules = _SPELLINGS[operation]
    outputs = {
        name: spelling.from_api(shapes[parameter], found[parameter])
        for name, parameter in _BLOCKS.items()
        if name != "associationConfig" and found.get(parameter) is not None and parameter in shapes
    }
    association = (found.get("AssociationConfig") or {}).get("RequestBody") or {}
    if association:
        bodies = {
            name: {"defaultSizeInspectionLimit": association[part]["DefaultSizeInspectionLimit"]}
            for name, part in _INSPECTED.items()
            if part in association
        }
        outputs["associationConfig"] = {"requestBodies": [bodies]}
    outputs["customResponseBodies"] = [
        {"key": key, "content": body["Content"], "contentType": body["ContentType"]}
        for key, body in (found.get("CustomResponseBodies") or {}).items()
    ]
    if known.get(json_rules):
        del outputs["rules"]
    return outputs


def _shown(cloud: Cloud, answer: dict[str, Any], key: str, scope: str) -> Properties:
    found = answer[key]
    return {
        "arn": found["ARN"],
        "capacity": found["Capacity"],
        "description": found.get("Description") or "",
        "id": found["Id"],
        "lockToken": answer["LockToken"],
        "name": found["Name"],
        "scope": scope,
        "tagsAll": tags_of(cloud, found["ARN"]),
    }


# -- web ACLs -----------------------------------------------------------------------------------------------------------


def _create_acl(cloud: Cloud, inputs: Properties) -> str:
    waf = client(cloud, inputs["scope"])
    answer = waf.create_web_acl(**creation(inputs), **_parameters(cloud, "CreateWebACL", inputs))
    return str(answer["Summary"]["Id"])


def _read_acl(cloud: Cloud, id_: str, known: Properties) -> Properties:
    name = named(id_, known)
    answer = client(cloud, name["Scope"]).get_web_acl(**name)
    outputs = _shown(cloud, answer, "WebACL", name["Scope"])
    outputs |= _block_outputs(cloud, "CreateWebACL", answer["WebACL"], known)
    outputs["applicationIntegrationUrl"] = answer.get("ApplicationIntegrationURL", "")
    return outputs


def _update_acl(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    waf, name = client(cloud, new["scope"]), named(id_, old)
    if changed - {"tags", "tagsAll"}:
        parameters = _parameters(cloud, "CreateWebACL", new)
        waf.update_web_acl(LockToken=waf.get_web_acl(**name)["LockToken"], **name, **described(new), **parameters)
    retag(cloud, old, new, changed)


def _delete_acl(cloud: Cloud, id_: str, known: Properties) -> None:
    waf, name = client(cloud, known["scope"]), named(id_, known)
    waf.delete_web_acl(LockToken=waf.get_web_acl(**name)["LockToken"], **name)


def _find_acl(cloud: Cloud, inputs: Properties) -> list[str]:
    return ids_by_name(cloud, "list_web_acls", "WebACLs", inputs)


def _get_acl(cloud: Cloud, arguments: Properties) -> Properties:
    if arguments.get("resourceArn"):
        found = cloud.client("wafv2").get_web_acl_for_resource(ResourceArn=arguments["resourceArn"]).get("WebACL")
        if not found:
            raise ProviderError(f"getWebAcl: no web ACL protects {arguments['resourceArn']}")
        arguments = {**arguments, "name": found["Name"]}
    ids = _find_acl(cloud, arguments)
    if not ids:
        raise ProviderError(f"getWebAcl: no web ACL is named {arguments.get('name')!r} in scope {arguments['scope']}")
    outputs = _read_acl(cloud, ids[0], arguments)
    result = {key: outputs[key] for key in ("arn", "description", "id", "name", "scope")}
    return {**result, "region": cloud.region, "resourceArn": arguments.get("resourceArn", "")}


# -- rule groups --------------------------------------------------------------------------------------------------------


def _create_group(cloud: Cloud, inputs: Properties) -> str:
    answer = client(cloud, inputs["scope"]).create_rule_group(
        Capacity=int(inputs["capacity"]), **creation(inputs), **_parameters(cloud, "CreateRuleGroup", inputs)
    )
    return str(answer["Summary"]["Id"])


def _read_group(cloud: Cloud, id_: str, known: Properties) -> Properties:
    name = named(id_, known)
    answer = client(cloud, name["Scope"]).get_rule_group(**name)
    outputs = _shown(cloud, answer, "RuleGroup", name["Scope"])
    outputs |= _block_outputs(cloud, "CreateRuleGroup", answer["RuleGroup"], known)
    return outputs


def _update_group(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    waf, name = client(cloud, new["scope"]), named(id_, old)
    if changed - {"tags", "tagsAll"}:
        parameters = _parameters(cloud, "CreateRuleGroup", new)
        waf.update_rule_group(LockToken=waf.get_rule_group(**name)["LockToken"], **name, **described(new), **parameters)
    retag(cloud, old, new, changed)


def _delete_group(cloud: Cloud, id_: str, known: Properties) -> None:
    waf, name = client(cloud, known["scope"]), named(id_, known)
    waf.delete_rule_group(LockToken=waf.get_rule_group(**name)["LockToken"], **name)


def _find_group(cloud: Cloud, inputs: Properties) -> list[str]:
    return ids_by_name(cloud, "list_rule_groups", "RuleGroups", inputs)


# -- what web ACLs protect, and where they log --------------------------------------------------------------------------


def _associate(cloud: Cloud, inputs: Properties) -> Created:
    acl, resource = inputs["webAclArn"], inputs["resourceArn"]
    if ":cloudfront:" in resource or ":global/" in acl:
        raise ProviderError(
            "WebAclAssociation: a CloudFront distribution names its web ACL itself; give the distribution's webAclId"
        )
    cloud.client("wafv2").associate_web_acl(WebACLArn=acl, ResourceArn=resource)
    return Created(f"{acl},{resource}", {"resourceArn": resource, "webAclArn": acl})


def _read_association(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    acl, _, resource = id_.partition(",")
    if not resource:
        raise ProviderError(f"{id_!r} is no id to import by; write the web ACL's ARN, a comma, and the resource's ARN")
    found = cloud.client("wafv2").get_web_acl_for_resource(ResourceArn=resource).get("WebACL")
    return {"resourceArn": resource, "webAclArn": acl} if found and found["ARN"] == acl else None


def _disassociate(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("wafv2").disassociate_web_acl(ResourceArn=id_.partition(",")[2])


def _find_association(cloud: Cloud, inputs: Properties) -> list[str]:
    id_ = f"{inputs['webAclArn']},{inputs['resourceArn']}"
    return [id_] if _read_association(cloud, id_, {}) else []


def _put_logging(cloud: Cloud, inputs: Properties) -> str:
    for destination in inputs["logDestinationConfigs"]:
        name = re.split(r":log-group:|:::|/", destination)[-1]
        if not name.startswith("aws-waf-logs-"):
            raise ProviderError(
                f"WAFInvalidParameterException: WebAclLoggingConfiguration: {destination} must have a name that begins "
                "with aws-waf-logs-"
            )
    shape = _shapes(cloud, "PutLoggingConfiguration")["LoggingConfiguration"]
    names = ("logDestinationConfigs", "loggingFilter", "redactedFields", "resourceArn")
    request = IN_WEB_ACLS.to_api(shape, {key: inputs[key] for key in names if key in inputs})
    cloud.client("wafv2").put_logging_configuration(LoggingConfiguration=request)
    return str(inputs["resourceArn"])


def _read_logging(cloud: Cloud, id_: str, known: Properties) -> Properties:
    shape = _shapes(cloud, "PutLoggingConfiguration")["LoggingConfiguration"]
    found = cloud.client("wafv2").get_logging_configuration(ResourceArn=id_)["LoggingConfiguration"]
    outputs: Properties = IN_WEB_ACLS.from_api(shape, found)
    outputs.pop("managedByFirewallManager", None)
    return outputs


def _update_logging(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_logging(cloud, new)


def _delete_logging(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("wafv2").delete_logging_configuration(ResourceArn=id_)


RESOURCE_TYPES = (
    *wafv2_sets.RESOURCE_TYPES,
    ResourceType(
        token="aws:wafv2/webAcl:WebAcl",
        service="wafv2",
        create=_create_acl,
        read=_read_acl,
        update=_update_acl,
        delete=_delete_acl,
        find=_find_acl,
        complete=checked("defaultAction", "rules"),
        name=AutoName(max_length=128),
        required=("defaultAction", "scope", "visibilityConfig"),
        replace_on=("name", "namePrefix", "scope"),
        computed=("applicationIntegrationUrl", "arn", "capacity", "lockToken"),
        local=("dataProtectionConfig", "namePrefix", "ruleJson"),
        sets=("customResponseBodies", "rules", "rules.ruleLabels", "tokenDomains"),
        json_documents=("ruleJson",),
        volatile=("capacity", "lockToken"),
        absent=ABSENT,
        tagged=True,
        limits="requests are not inspected; capacity is always 3; dataProtectionConfig is recorded only; no monetizationConfig",
    ),
    ResourceType(
        token="aws:wafv2/ruleGroup:RuleGroup",
        service="wafv2",
        create=_create_group,
        read=_read_group,
        update=_update_group,
        delete=_delete_group,
        find=_find_group,
        complete=checked("rules"),
        name=AutoName(max_length=128),
        required=("capacity", "scope", "visibilityConfig"),
        replace_on=("capacity", "name", "namePrefix", "scope"),
        computed=("arn", "lockToken"),
        local=("namePrefix", "rulesJson"),
        sets=("customResponseBodies", "rules", "rules.ruleLabels"),
        json_documents=("rulesJson",),
        volatile=("lockToken",),
        absent=ABSENT,
        tagged=True,
        limits="no monetizationConfig",
    ),
    ResourceType(
        token="aws:wafv2/webAclAssociation:WebAclAssociation",
        service="wafv2",
        create=_associate,
        read=_read_association,
        delete=_disassociate,
        find=_find_association,
        required=("resourceArn", "webAclArn"),
        absent=ABSENT,
        # A resource has one web ACL: removing the old association afterwards would remove the new one.
        delete_before_replace=True,
    ),
    ResourceType(
        token="aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        service="wafv2",
        create=_put_logging,
        read=_read_logging,
        update=_update_logging,
        delete=_delete_logging,
        complete=checked("loggingFilter", "redactedFields"),
        required=("logDestinationConfigs", "resourceArn"),
        replace_on=("logDestinationConfigs", "resourceArn"),
        sets=("logDestinationConfigs", "loggingFilter.filters", "loggingFilter.filters.conditions"),
        absent=ABSENT,
        delete_before_replace=True,
        adopts=True,
        limits="nothing is logged",
    ),
)

FUNCTIONS = (
    *wafv2_sets.FUNCTIONS,
    Function(token="aws:wafv2/getWebAcl:getWebAcl", service="wafv2", call=_get_acl),
)
