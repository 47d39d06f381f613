"""Elastic Load Balancing v2: listeners, their rules and their certificates. Actions and conditions are ``lb_actions``'s.

Source: the Elastic Load Balancing API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.lb_actions import (
    actions_outputs,
    actions_request,
    conditions_outputs,
    conditions_request,
)
from isostack.localcloud.resource_types.lb_target_groups import attribute_list, attribute_map, tags_of, update_tags
from isostack.localcloud.resource_types.row import Created, Function, Properties, ResourceType, tag_list

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_TLS = ("HTTPS", "TLS")
_HEADERS = (
    "routingHttpRequestXAmznMtlsClientcertHeaderName",
    "routingHttpRequestXAmznMtlsClientcertIssuerHeaderName",
    "routingHttpRequestXAmznMtlsClientcertLeafHeaderName",
    "routingHttpRequestXAmznMtlsClientcertSerialNumberHeaderName",
    "routingHttpRequestXAmznMtlsClientcertSubjectHeaderName",
    "routingHttpRequestXAmznMtlsClientcertValidityHeaderName",
    "routingHttpRequestXAmznTlsCipherSuiteHeaderName",
    "routingHttpRequestXAmznTlsVersionHeaderName",
    "routingHttpResponseAccessControlAllowCredentialsHeaderValue",
    "routingHttpResponseAccessControlAllowHeadersHeaderValue",
    "routingHttpResponseAccessControlAllowMethodsHeaderValue",
    "routingHttpResponseAccessControlAllowOriginHeaderValue",
    "routingHttpResponseAccessControlExposeHeadersHeaderValue",
    "routingHttpResponseAccessControlMaxAgeHeaderValue",
    "routingHttpResponseContentSecurityPolicyHeaderValue",
    "routingHttpResponseServerEnabled",
    "routingHttpResponseStrictTransportSecurityHeaderValue",
    "routingHttpResponseXContentTypeOptionsHeaderValue",
    "routingHttpResponseXFrameOptionsHeaderValue",
)


def _attribute_name(property_: str) -> str:
    """``routing.http.response.x_frame_options.header_value`` for ``routingHttpResponseXFrameOptionsHeaderValue``."""
    match = re.fullmatch(r"routingHttp(Request|Response)(.+?)(HeaderName|HeaderValue|Enabled)", property_)
    assert match  # noqa: S101 - the table above holds nothing else
    side, subject, what = match.groups()
    return ".".join(("routing.http", side.lower(), _snake(subject), _snake(what)))


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_ATTRIBUTES = {**{name: _attribute_name(name) for name in _HEADERS}, "tcpIdleTimeoutSeconds": "tcp.idle_timeout.seconds"}

# -- listeners ----------------------------------------------------------------------------------------------------------


def _protocol(inputs: Properties) -> str | None:
    if inputs.get("protocol"):
        return str(inputs["protocol"])
    # moto's ARNs of gateway load balancers say app too, but those have no port.
    return "HTTP" if ":loadbalancer/app/" in inputs["loadBalancerArn"] and inputs.get("port") else None


def _create_listener(cloud: Cloud, inputs: Properties) -> str:
    client, balancer = cloud.client("elbv2"), inputs["loadBalancerArn"]
    protocol = _protocol(inputs)
    if protocol in _TLS and not inputs.get("certificateArn"):
        raise ProviderError(f"ValidationError: a certificate must be specified for {protocol} listeners: certificateArn")
    if _find_listener(cloud, inputs):
        raise ProviderError(f"DuplicateListener: a listener on port {inputs.get('port')} of {balancer} already exists")
    arguments = {
        "AlpnPolicy": [inputs["alpnPolicy"]] if inputs.get("alpnPolicy") else None,
        "Certificates": [{"CertificateArn": inputs["certificateArn"]}] if inputs.get("certificateArn") else None,
        "Port": int(inputs["port"]) if inputs.get("port") else None,
        "Protocol": protocol,
        "SslPolicy": inputs.get("sslPolicy"),
        "Tags": tag_list(inputs.get("tagsAll")),
    }
    listener = client.create_listener(
        LoadBalancerArn=balancer,
        DefaultActions=actions_request(inputs["defaultActions"]),
        **{key: value for key, value in arguments.items() if value},
    )["Listeners"][0]
    arn = listener["ListenerArn"]
    attributes = {attribute: inputs[name] for name, attribute in _ATTRIBUTES.items() if inputs.get(name) is not None}
    if attributes:
        try:
            client.modify_listener_attributes(ListenerArn=arn, Attributes=attribute_list(attributes))
        except Exception:
            client.delete_listener(ListenerArn=arn)
            raise
    return str(arn)


def _read_listener(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elbv2")
    listener = client.describe_listeners(ListenerArns=[id_])["Listeners"][0]
    protocol = listener.get("Protocol") or ""
    outputs: Properties = {
        "arn": id_,
        "alpnPolicy": (listener.get("AlpnPolicy") or [""])[0],
        "certificateArn": (listener.get("Certificates") or [{}])[0].get("CertificateArn", ""),
        "defaultActions": actions_outputs(listener["DefaultActions"], known.get("defaultActions") or []),
        "loadBalancerArn": listener["LoadBalancerArn"],
        "protocol": protocol,
        "sslPolicy": listener.get("SslPolicy", "") if protocol in _TLS else "",
        "tagsAll": tags_of(client, id_),
    }
    if listener.get("Port"):
        outputs["port"] = listener["Port"]
    attributes = attribute_map(client.describe_listener_attributes(ListenerArn=id_)["Attributes"])
    for name, attribute in _ATTRIBUTES.items():
        if attribute not in attributes or (name == "tcpIdleTimeoutSeconds" and protocol in ("HTTP", "HTTPS")):
            continue
        text = attributes[attribute]
        outputs[name] = text == "true" if name.endswith("Enabled") else int(text) if name.startswith("tcp") else text
    return outputs


def _update_listener(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elbv2")
    if "alpnPolicy" in changed:
        raise ProviderError("Listener: the local cloud cannot change alpnPolicy of an existing listener; use another port")
    arguments: Properties = {}
    if "port" in changed:
        arguments["Port"] = int(new["port"])
    if changed & {"protocol", "certificateArn"}:
        protocol = _protocol(new)
        arguments["Protocol"] = protocol
        if protocol in _TLS:
            arguments["Certificates"] = [{"CertificateArn": new["certificateArn"]}]
    if "sslPolicy" in changed and new.get("sslPolicy"):
        arguments["SslPolicy"] = new["sslPolicy"]
    if "defaultActions" in changed:
        arguments["DefaultActions"] = actions_request(new["defaultActions"])
    if arguments:
        client.modify_listener(ListenerArn=id_, **arguments)
    attributes = {attribute: new.get(name, "") for name, attribute in _ATTRIBUTES.items() if name in changed}
    if attributes:
        client.modify_listener_attributes(ListenerArn=id_, Attributes=attribute_list(attributes))
    if "tagsAll" in changed:
        update_tags(client, id_, old, new)


def _delete_listener(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("elbv2").delete_listener(ListenerArn=id_)


def _find_listener(cloud: Cloud, inputs: Properties) -> list[str]:
    pages = cloud.client("elbv2").get_paginator("describe_listeners")
    port = int(inputs["port"]) if inputs.get("port") else None
    return [
        listener["ListenerArn"]
        for page in pages.paginate(LoadBalancerArn=inputs["loadBalancerArn"])
        for listener in page["Listeners"]
        if listener.get("Port") == port
    ]


# -- rules --------------------------------------------------------------------------------------------------------------

_PRIORITIES = threading.Lock()  # rules without a priority get the next free one, and the engine creates in parallel


def _rules(cloud: Cloud, listener: str) -> list[Properties]:
    pages = cloud.client("elbv2").get_paginator("describe_rules").paginate(ListenerArn=listener)
    return [rule for page in pages for rule in page["Rules"] if not rule["IsDefault"]]


def _create_rule(cloud: Cloud, inputs: Properties) -> str:
    if inputs.get("transforms"):
        raise ProviderError("ListenerRule: transforms are not supported on the local cloud; leave them out")
    arguments: Properties = {
        "Actions": actions_request(inputs["actions"]),
        "Conditions": conditions_request(inputs["conditions"]),
        "ListenerArn": inputs["listenerArn"],
    }
    if inputs.get("tagsAll"):
        arguments["Tags"] = tag_list(inputs["tagsAll"])
    with _PRIORITIES:
        priority = inputs.get("priority")
        if priority is None:
            priority = 1 + max((int(rule["Priority"]) for rule in _rules(cloud, inputs["listenerArn"])), default=0)
        rule = cloud.client("elbv2").create_rule(Priority=int(priority), **arguments)["Rules"][0]
    return str(rule["RuleArn"])


def _read_rule(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elbv2")
    rule = client.describe_rules(RuleArns=[id_])["Rules"][0]
    return {
        "actions": actions_outputs(rule["Actions"], known.get("actions") or []),
        "arn": id_,
        "conditions": conditions_outputs(rule["Conditions"]),
        "listenerArn": id_.replace(":listener-rule/", ":listener/").rpartition("/")[0],
        "priority": int(rule["Priority"]),
        "tagsAll": tags_of(client, id_),
    }


def _update_rule(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elbv2")
    if new.get("transforms"):
        raise ProviderError("ListenerRule: transforms are not supported on the local cloud; leave them out")
    if "priority" in changed:
        client.set_rule_priorities(RulePriorities=[{"RuleArn": id_, "Priority": int(new["priority"])}])
    if changed & {"actions", "conditions"}:
        client.modify_rule(RuleArn=id_, Actions=actions_request(new["actions"]), Conditions=conditions_request(new["conditions"]))
    if "tagsAll" in changed:
        update_tags(client, id_, old, new)


def _delete_rule(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("elbv2").delete_rule(RuleArn=id_)


def _find_rule(cloud: Cloud, inputs: Properties) -> list[str]:
    found = []
    for rule in _rules(cloud, inputs["listenerArn"]):
        if inputs.get("priority") is not None:
            same = int(rule["Priority"]) == int(inputs["priority"])
        else:
            tags = tags_of(cloud.client("elbv2"), rule["RuleArn"])
            asked = conditions_outputs(conditions_request(inputs["conditions"]))
            same = conditions_outputs(rule["Conditions"]) == asked and tags == (inputs.get("tagsAll") or {})
        if same:
            found.append(rule["RuleArn"])
    return found


# -- certificates -------------------------------------------------------------------------------------------------------


def _add_certificate(cloud: Cloud, inputs: Properties) -> Created:
    listener, certificate = inputs["listenerArn"], inputs["certificateArn"]
    cloud.client("elbv2").add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": certificate}])
    return Created(f"{listener}_{certificate}", dict(inputs))


def _read_certificate(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    listener, _, certificate = id_.partition("_")
    pages = cloud.client("elbv2").get_paginator("describe_listener_certificates").paginate(ListenerArn=listener)
    certificates: list[Any] = [item for page in pages for item in page["Certificates"]]
    if any(item["CertificateArn"] == certificate and not item.get("IsDefault") for item in certificates):
        return {"certificateArn": certificate, "listenerArn": listener}
    return None


def _remove_certificate(cloud: Cloud, id_: str, known: Properties) -> None:
    listener, _, certificate = id_.partition("_")
    cloud.client("elbv2").remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": certificate}])


def _get_listener(cloud: Cloud, arguments: Properties) -> Properties:
    arn = arguments.get("arn")
    if not arn:
        if not (arguments.get("loadBalancerArn") and arguments.get("port")):
            raise ProviderError("getListener: give arn, or loadBalancerArn and port")
        arn = next(iter(_find_listener(cloud, arguments)), None)
    outputs = _read_listener(cloud, arn, {}) if arn else None
    if outputs is None:
        raise ProviderError(f"getListener: {arguments['loadBalancerArn']} has no listener on port {arguments['port']}")
    tags = outputs.pop("tagsAll")
    return {**outputs, "id": arn, "mutualAuthentications": [], "region": cloud.region, "tags": tags}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:lb/listener:Listener",
        service="elbv2",
        create=_create_listener,
        read=_read_listener,
        update=_update_listener,
        delete=_delete_listener,
        find=_find_listener,
        required=("defaultActions", "loadBalancerArn"),
        replace_on=("loadBalancerArn",),
        computed=("arn",),
        sticky=("mutualAuthentication", "protocol", "sslPolicy", *_ATTRIBUTES),
        local=("mutualAuthentication",),
        sets=("defaultActions.forward.targetGroups",),
        absent=("ListenerNotFound", "LoadBalancerNotFound"),
        tagged=True,
        limits="no JWT validation; mutualAuthentication is recorded only; alpnPolicy cannot change",
    ),
    ResourceType(
        token="aws:lb/listenerRule:ListenerRule",
        service="elbv2",
        create=_create_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule,
        find=_find_rule,
        required=("actions", "conditions", "listenerArn"),
        replace_on=("listenerArn",),
        computed=("arn",),
        sticky=("priority",),
        sets=(
            "actions.forward.targetGroups",
            "conditions",
            "conditions.hostHeader.values",
            "conditions.httpHeader.values",
            "conditions.httpRequestMethod.values",
            "conditions.pathPattern.values",
            "conditions.queryStrings",
            "conditions.sourceIp.values",
        ),
        absent=("ListenerNotFound", "LoadBalancerNotFound", "RuleNotFound"),
        tagged=True,
        limits="no transforms, regular expressions and JWT validation",
    ),
    ResourceType(
        token="aws:lb/listenerCertificate:ListenerCertificate",
        service="elbv2",
        create=_add_certificate,
        read=_read_certificate,
        delete=_remove_certificate,
        required=("certificateArn", "listenerArn"),
        absent=("ListenerNotFound",),
        adopts=True,
    ),
)

FUNCTIONS = (Function(token="aws:lb/getListener:getListener", service="elbv2", call=_get_listener),)
