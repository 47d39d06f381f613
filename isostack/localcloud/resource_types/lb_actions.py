"""Elastic Load Balancing v2: the actions and conditions of listeners and rules, to the API's shape and back.

Source: the Elastic Load Balancing API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties

# Block to (parameter, fields, their defaults).
_BLOCKS: dict[str, tuple[str, dict[str, str], Properties]] = {
    "authenticateCognito": (
        "AuthenticateCognitoConfig",
        {
            "authenticationRequestExtraParams": "AuthenticationRequestExtraParams",
            "onUnauthenticatedRequest": "OnUnauthenticatedRequest",
            "scope": "Scope",
            "sessionCookieName": "SessionCookieName",
            "sessionTimeout": "SessionTimeout",
            "userPoolArn": "UserPoolArn",
            "userPoolClientId": "UserPoolClientId",
            "userPoolDomain": "UserPoolDomain",
        },
        {},
    ),
    "authenticateOidc": (
        "AuthenticateOidcConfig",
        {
            "authenticationRequestExtraParams": "AuthenticationRequestExtraParams",
            "authorizationEndpoint": "AuthorizationEndpoint",
            "clientId": "ClientId",
            "clientSecret": "ClientSecret",
            "issuer": "Issuer",
            "onUnauthenticatedRequest": "OnUnauthenticatedRequest",
            "scope": "Scope",
            "sessionCookieName": "SessionCookieName",
            "sessionTimeout": "SessionTimeout",
            "tokenEndpoint": "TokenEndpoint",
            "userInfoEndpoint": "UserInfoEndpoint",
        },
        {},
    ),
    "fixedResponse": (
        "FixedResponseConfig",
        {"contentType": "ContentType", "messageBody": "MessageBody", "statusCode": "StatusCode"},
        {"statusCode": "200"},
    ),
    "redirect": (
        "RedirectConfig",
        {
            "host": "Host",
            "path": "Path",
            "port": "Port",
            "protocol": "Protocol",
            "query": "Query",
            "statusCode": "StatusCode",
        },
        {
            "host": "#{host}",
            "path": "/#{path}",
            "port": "#{port}",
            "protocol": "#{protocol}",
            "query": "#{query}",
        },
    ),
}
_INTEGERS = ("sessionTimeout",)


def actions_request(actions: list[Properties]) -> list[Properties]:
    """Actions as the API takes them. An action without an order gets its place in the list."""
    return [_action_request(action, place) for place, action in enumerate(actions, 1)]


def _action_request(action: Properties, place: int) -> Properties:
    request: Properties = {"Order": int(action.get("order") or place), "Type": action["type"]}
    if action["type"] == "forward":
        if bool(action.get("targetGroupArn")) == bool(action.get("forward")):
            raise ProviderError("a forward action needs either targetGroupArn or forward")
        if action.get("targetGroupArn"):
            request["TargetGroupArn"] = action["targetGroupArn"]
        else:
            request["ForwardConfig"] = _forward_request(action["forward"])
    for key, (name, fields, defaults) in _BLOCKS.items():
        if action.get(key):
            given = {**defaults, **{k: v for k, v in action[key].items() if v is not None}}
            request[name] = {field: int(given[k]) if k in _INTEGERS else given[k] for k, field in fields.items() if k in given}
            if "StatusCode" in request[name]:
                request[name]["StatusCode"] = str(request[name]["StatusCode"])
    if action.get("jwtValidation"):
        raise ProviderError("jwtValidation actions are not supported on the local cloud; leave them out")
    return request


def _forward_request(forward: Properties) -> Properties:
    request: Properties = {
        "TargetGroups": [
            {"TargetGroupArn": group["arn"], "Weight": int(group.get("weight", 1))} for group in forward["targetGroups"]
        ]
    }
    if stickiness := forward.get("stickiness"):
        request["TargetGroupStickinessConfig"] = {
            "Enabled": bool(stickiness.get("enabled", False)),
            "DurationSeconds": int(stickiness["duration"]),
        }
    return request


def actions_outputs(actions: list[Properties], known: list[Properties]) -> list[Properties]:
    """Actions in the SDK's shape, ``forward`` or ``targetGroupArn`` as the program has it."""
    places = sorted(actions, key=lambda action: action.get("Order") or 0)
    known_by_place = [*known, *({} for _ in places)]
    return [_action_outputs(action, known_by_place[place], place + 1) for place, action in enumerate(places)]


def _action_outputs(action: Properties, known: Properties, place: int) -> Properties:
    outputs: Properties = {"order": action.get("Order") or place, "type": action["Type"]}
    if action["Type"] == "forward":
        forward = action.get("ForwardConfig") or {}
        groups = forward.get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
        sticky = (forward.get("TargetGroupStickinessConfig") or {}).get("Enabled", False)
        plain = len(groups) == 1 and groups[0].get("Weight", 1) == 1 and not sticky
        if known.get("forward") or (not plain and not known.get("targetGroupArn")):
            outputs["forward"] = _forward_outputs(forward, groups, known.get("forward") or {})
        elif plain:
            outputs["targetGroupArn"] = groups[0]["TargetGroupArn"]
        else:
            outputs["forward"] = _forward_outputs(forward, groups, {})
    for key, (name, fields, _) in _BLOCKS.items():
        if action.get(name):
            outputs[key] = {k: action[name][field] for k, field in fields.items() if action[name].get(field) is not None}
            secret = (known.get(key) or {}).get("clientSecret")
            if secret is not None:
                outputs[key]["clientSecret"] = secret  # AWS does not give it back
    return outputs


def _forward_outputs(forward: Properties, groups: list[Properties], known: Properties) -> Properties:
    outputs: Properties = {
        "targetGroups": [{"arn": group["TargetGroupArn"], "weight": group.get("Weight", 1)} for group in groups]
    }
    stickiness = forward.get("TargetGroupStickinessConfig") or {}
    if stickiness.get("Enabled") or known.get("stickiness"):
        outputs["stickiness"] = {
            "duration": stickiness.get("DurationSeconds", 0),
            "enabled": stickiness.get("Enabled", False),
        }
    return outputs


# Condition to (field, parameter).
_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "httpHeader": ("http-header", "HttpHeaderConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}


def conditions_request(conditions: list[Properties]) -> list[Properties]:
    """Conditions as the API takes them. Each holds exactly one kind."""
    requests = []
    for condition in conditions:
        kinds = [key for key in (*_CONDITIONS, "queryStrings") if condition.get(key)]
        if len(kinds) != 1:
            raise ProviderError(f"a condition holds one kind of test, not {' and '.join(kinds) or 'none'}")
        requests.append(_condition_request(kinds[0], condition[kinds[0]]))
    return requests


def _condition_request(kind: str, test: Any) -> Properties:
    if kind == "queryStrings":
        values = [{**({"Key": item["key"]} if item.get("key") else {}), "Value": item["value"]} for item in test]
        return {"Field": "query-string", "QueryStringConfig": {"Values": values}}
    if test.get("regexValues") or not test.get("values"):
        raise ProviderError(f"{kind}: the local cloud supports values, and no regexValues")
    field, name = _CONDITIONS[kind]
    config: Properties = {"Values": test["values"]}
    if kind == "httpHeader":
        config["HttpHeaderName"] = test["httpHeaderName"]
    return {"Field": field, name: config}


def conditions_outputs(conditions: list[Properties]) -> list[Properties]:
    """Conditions in the SDK's shape."""
    outputs: list[Properties] = []
    for condition in conditions:
        if condition["Field"] == "query-string":
            values = condition["QueryStringConfig"]["Values"]
            outputs.append({"queryStrings": [{"key": v.get("Key", ""), "value": v["Value"]} for v in values]})
            continue
        kind, name = next((k, n) for k, (field, n) in _CONDITIONS.items() if field == condition["Field"])
        config = condition.get(name) or {}
        test: Properties = {"values": config.get("Values") or condition.get("Values") or []}
        if kind == "httpHeader":
            test["httpHeaderName"] = config["HttpHeaderName"]
        outputs.append({kind: test})
    return outputs
