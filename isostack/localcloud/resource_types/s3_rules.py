"""A bucket's lifecycle rules, CORS rules, website and notifications: their blocks in Pulumi's shape, as the S3 API has them.

Each pair ``put_…(client, bucket, value)`` and ``get_…(client, bucket, known)`` serves both the resource types of
:mod:`isostack.localcloud.resource_types.s3_settings` and the older blocks inside a bucket. ``get`` gives the value, with
what moto forgets taken from ``known``, or lets the ClientError rise that says that there is none.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.row import Properties, tag_list, tag_map
from isostack.localcloud.resource_types.shapes import from_aws, remember, to_aws

_NAMES = {"id": "ID"}

# -- lifecycle ---------------------------------------------------------------------------------------------------------


def put_lifecycle(client: Any, bucket: str, rules: list[Properties], size: str | None = None) -> None:
    if not rules:
        raise ProviderError("MalformedXML: a bucket's lifecycle configuration needs at least one rule")
    optional = {"TransitionDefaultMinimumObjectSize": size} if size else {}
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [_lifecycle_to_aws(rule) for rule in rules]}, **optional
    )


def _lifecycle_to_aws(rule: Properties) -> Properties:
    expiration = {key: value for key, value in (rule.get("expiration") or {}).items() if value}
    result: Properties = to_aws({**rule, "filter": None, "prefix": None, "expiration": expiration}, _NAMES)
    filter_ = rule.get("filter")
    if filter_ is None:
        result["Prefix"] = rule.get("prefix") or ""
        return result
    result["Filter"] = to_aws({**filter_, "and": None, "prefix": None})
    if filter_.get("and"):
        both = dict(filter_["and"])
        tags = tag_list(both.pop("tags", None))
        result["Filter"]["And"] = {**to_aws(both), **({"Tags": tags} if tags else {})}
    if filter_.get("prefix") is not None:
        result["Filter"]["Prefix"] = filter_["prefix"]
    return result


def get_lifecycle(client: Any, bucket: str, known: list[Properties] | None) -> list[Properties]:
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    remembered = {rule.get("id"): rule for rule in known or []}
    return [_lifecycle_from_aws(rule, remembered.get(rule.get("ID"), {})) for rule in rules]


def _lifecycle_from_aws(rule: Properties, known: Properties) -> Properties:
    result: Properties = from_aws(rule, _NAMES)
    for block in [result.get("expiration"), *result.get("transitions", [])]:
        if block and isinstance(block.get("date"), datetime):
            block["date"] = block["date"].strftime("%Y-%m-%dT%H:%M:%SZ")
    both = (result.get("filter") or {}).get("and")
    if both and "tags" in both:
        both["tags"] = tag_map(rule["Filter"]["And"]["Tags"])
    # moto forgets how many versions to keep, and by which size of object to filter.
    for name in ("filter", "noncurrentVersionExpiration"):
        if name in result:
            result[name] = remember(result[name], _forgotten(known.get(name)))
    return result


def _forgotten(block: Properties | None) -> Properties:
    kept = {"objectSizeGreaterThan", "objectSizeLessThan", "newerNoncurrentVersions"}
    result = {key: value for key, value in (block or {}).items() if key in kept}
    both = _forgotten((block or {}).get("and")) if block and block.get("and") else {}
    return {**result, **({"and": both} if both else {})}


def inline_lifecycle(rules: list[Properties]) -> list[Properties]:
    """The rules inside a bucket as a BucketLifecycleConfiguration has them."""
    result = []
    for rule in rules:
        tags, prefix = rule.get("tags") or {}, rule.get("prefix") or ""
        days = rule.get("abortIncompleteMultipartUploadDays")
        entry: Properties = {
            "id": rule.get("id") or f"tf-s3-lifecycle-{secrets.token_hex(13)}",
            "status": "Enabled" if rule.get("enabled") else "Disabled",
            "filter": {"and": {"prefix": prefix, "tags": tags}} if tags else {"prefix": prefix},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": days} if days else None,
            "expiration": rule.get("expiration"),
            "transitions": rule.get("transitions"),
        }
        if rule.get("noncurrentVersionExpiration"):
            entry["noncurrentVersionExpiration"] = {"noncurrentDays": rule["noncurrentVersionExpiration"].get("days")}
        entry["noncurrentVersionTransitions"] = [
            {"noncurrentDays": item.get("days", 0), "storageClass": item["storageClass"]}
            for item in rule.get("noncurrentVersionTransitions") or []
        ]
        result.append({key: value for key, value in entry.items() if value})
    return result


def outline_lifecycle(rules: list[Properties]) -> list[Properties]:
    """The other way round."""
    result = []
    for rule in rules:
        filter_ = rule.get("filter") or {}
        both = filter_.get("and") or filter_
        tags = both.get("tags") or ({filter_["tag"]["key"]: filter_["tag"]["value"]} if filter_.get("tag") else {})
        entry: Properties = {
            "id": rule.get("id", ""),
            "enabled": rule["status"] == "Enabled",
            "prefix": both.get("prefix") or rule.get("prefix") or "",
            "tags": tags,
            "abortIncompleteMultipartUploadDays": rule.get("abortIncompleteMultipartUpload", {}).get("daysAfterInitiation"),
            "expiration": rule.get("expiration"),
            "transitions": rule.get("transitions"),
        }
        if rule.get("noncurrentVersionExpiration"):
            entry["noncurrentVersionExpiration"] = {"days": rule["noncurrentVersionExpiration"]["noncurrentDays"]}
        entry["noncurrentVersionTransitions"] = [
            {"days": item["noncurrentDays"], "storageClass": item["storageClass"]}
            for item in rule.get("noncurrentVersionTransitions") or []
        ]
        result.append({key: value for key, value in entry.items() if value not in (None, "", [], {})})
    return result


# -- CORS --------------------------------------------------------------------------------------------------------------


def put_cors(client: Any, bucket: str, rules: list[Properties]) -> None:
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": to_aws(rules, _NAMES)})


def get_cors(client: Any, bucket: str, known: Any) -> list[Properties]:
    rules: list[Properties] = from_aws(client.get_bucket_cors(Bucket=bucket)["CORSRules"], _NAMES)
    return [{key: value for key, value in rule.items() if value not in (None, "", [])} for rule in rules]


# -- website -----------------------------------------------------------------------------------------------------------


def put_website(client: Any, bucket: str, website: Properties) -> None:
    """``website`` as in a BucketWebsiteConfiguration."""
    details = website.get("routingRuleDetails")
    routing = json.loads(details) if details else to_aws(website.get("routingRules") or [])
    names = ("indexDocument", "errorDocument", "redirectAllRequestsTo")
    configuration = to_aws({name: website.get(name) for name in names})
    if not configuration.keys() & {"IndexDocument", "RedirectAllRequestsTo"}:
        raise ProviderError("website: give indexDocument or redirectAllRequestsTo")
    if "RedirectAllRequestsTo" in configuration and (routing or len(configuration) > 1):
        raise ProviderError("website: redirectAllRequestsTo stands alone, without documents and routing rules")
    if routing:
        configuration["RoutingRules"] = routing
    client.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)


def get_website(client: Any, bucket: str, known: Properties) -> Properties:
    answer = client.get_bucket_website(Bucket=bucket)
    names = {"IndexDocument", "ErrorDocument", "RedirectAllRequestsTo", "RoutingRules"}
    website: Properties = from_aws({key: value for key, value in answer.items() if key in names and value})
    if known.get("routingRuleDetails") and website.get("routingRules") == from_aws(json.loads(known["routingRuleDetails"])):
        website["routingRuleDetails"] = known["routingRuleDetails"]
    return website


def inline_website(website: Properties) -> Properties:
    """A website inside a bucket as a BucketWebsiteConfiguration has it."""
    result: Properties = {}
    if website.get("indexDocument"):
        result["indexDocument"] = {"suffix": website["indexDocument"]}
    if website.get("errorDocument"):
        result["errorDocument"] = {"key": website["errorDocument"]}
    if target := website.get("redirectAllRequestsTo"):
        protocol, _, host = str(target).rpartition("://")
        result["redirectAllRequestsTo"] = {"hostName": host, "protocol": protocol}
    rules = website.get("routingRules")
    if rules:
        result["routingRuleDetails"] = rules if isinstance(rules, str) else json.dumps(rules)
    return result


def outline_website(website: Properties) -> Properties:
    """The other way round."""
    result: Properties = {}
    if "indexDocument" in website:
        result["indexDocument"] = website["indexDocument"]["suffix"]
    if "errorDocument" in website:
        result["errorDocument"] = website["errorDocument"]["key"]
    if target := website.get("redirectAllRequestsTo"):
        protocol = target.get("protocol")
        result["redirectAllRequestsTo"] = f"{protocol}://{target['hostName']}" if protocol else target["hostName"]
    if website.get("routingRules"):
        result["routingRules"] = website.get("routingRuleDetails") or json.dumps(to_aws(website["routingRules"]))
    return result


# -- notifications -----------------------------------------------------------------------------------------------------

# Property to (the API's block, the property and the API's name of the ARN, the beginning of ids that Terraform makes up).
_TARGETS = {
    "topics": ("TopicConfigurations", "topicArn", "TopicArn", "tf-s3-topic-"),
    "queues": ("QueueConfigurations", "queueArn", "QueueArn", "tf-s3-queue-"),
    "lambdaFunctions": ("LambdaFunctionConfigurations", "lambdaFunctionArn", "LambdaFunctionArn", "tf-s3-lambda-"),
}


def put_notifications(client: Any, bucket: str, inputs: Properties) -> None:
    configuration: Properties = {}
    for name, (block, property_, arn, prefix) in _TARGETS.items():
        entries = []
        for target in inputs.get(name) or []:
            filters = [
                {"Name": part, "Value": target[key]}
                for part, key in (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
                if target.get(key)
            ]
            entry = {"Id": target.get("id") or prefix + secrets.token_hex(13), arn: target[property_]}
            entry["Events"] = target["events"]
            if filters:
                entry["Filter"] = {"Key": {"FilterRules": filters}}
            entries.append(entry)
        if entries:
            configuration[block] = entries
    if inputs.get("eventbridge"):
        configuration["EventBridgeConfiguration"] = {}
    client.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def get_notifications(client: Any, bucket: str) -> Properties:
    """What is notified, by property; without ``eventbridge``, which moto does not tell."""
    answer = client.get_bucket_notification_configuration(Bucket=bucket)
    result: Properties = {}
    for name, (block, property_, arn, _) in _TARGETS.items():
        entries = []
        for target in answer.get(block) or []:
            entry = {"id": target["Id"], property_: target[arn], "events": target["Events"]}
            for rule in target.get("Filter", {}).get("Key", {}).get("FilterRules", []):
                entry["filter" + rule["Name"].capitalize()] = rule["Value"]
            entries.append(entry)
        if entries:
            result[name] = entries
    return result
