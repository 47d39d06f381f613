"""Amazon SNS: topics, their policies and subscriptions. Source: the SNS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.iam_policies import policy_text, require_policy
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Property to topic attribute: what CreateTopic takes, and what only SetTopicAttributes takes.
_AT_CREATE = {
    "archivePolicy": "ArchivePolicy",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoThroughputScope": "FifoThroughputScope",
    "fifoTopic": "FifoTopic",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_FEEDBACK = {
    f"{protocol}{kind}": f"{spelling}{kind[0].upper()}{kind[1:]}"
    for protocol, spelling in (
        ("application", "Application"),
        ("firehose", "Firehose"),
        ("http", "HTTP"),
        ("lambda", "Lambda"),
        ("sqs", "SQS"),
    )
    for kind in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
}
_TOPIC = {**_AT_CREATE, **_FEEDBACK}
# What GetTopicAttributes gives in moto; the rest is remembered.
_TOLD = ("contentBasedDeduplication", "deliveryPolicy", "displayName", "fifoTopic", "kmsMasterKeyId", "policy")
_FIFO_ONLY = ("archivePolicy", "contentBasedDeduplication", "fifoThroughputScope")
_FLAGS = ("contentBasedDeduplication", "fifoTopic")

# -- topics ------------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _require_valid(inputs: Properties) -> None:
    fifo = bool(inputs.get("fifoTopic"))
    if fifo != str(inputs["name"]).endswith(".fifo"):
        raise ProviderError(f"Topic: the name {inputs['name']!r} and fifoTopic disagree; a FIFO topic's name ends in .fifo")
    for name in _FIFO_ONLY:
        if inputs.get(name) and not fifo:
            raise ProviderError(f"Topic: {name} is for FIFO topics only; set fifo_topic=True or leave it out")
    if inputs.get("policy"):
        require_policy(inputs["policy"], "policy")


def _create_topic(cloud: Cloud, inputs: Properties) -> Created:
    _require_valid(inputs)
    client = cloud.client("sns")
    attributes = {attribute: _text(inputs[name]) for name, attribute in _AT_CREATE.items() if inputs.get(name)}
    tags = tag_list(inputs.get("tagsAll"))
    arn = client.create_topic(Name=inputs["name"], Attributes=attributes, Tags=tags)["TopicArn"]
    try:
        for name, attribute in _FEEDBACK.items():
            if inputs.get(name) is not None:
                client.set_topic_attributes(TopicArn=arn, AttributeName=attribute, AttributeValue=_text(inputs[name]))
        told = client.get_topic_attributes(TopicArn=arn)["Attributes"]
    except Exception:
        client.delete_topic(TopicArn=arn)
        raise
    return Created(arn, {**_topic_outputs(told, inputs), "tagsAll": inputs.get("tagsAll") or {}})


def _topic_outputs(told: Properties, known: Properties) -> Properties:
    outputs: Properties = {
        "arn": told["TopicArn"],
        "beginningArchiveTime": "",
        "contentBasedDeduplication": False,
        "fifoTopic": False,
        "name": told["TopicArn"].rpartition(":")[2],
        "owner": told["Owner"],
        **({"namePrefix": known["namePrefix"]} if known.get("namePrefix") else {}),
    }
    for name in _TOLD:
        value = told.get(_TOPIC[name])
        if value not in (None, ""):
            outputs[name] = _text(value) == "true" if name in _FLAGS else value
    for name in ("policy", "deliveryPolicy"):
        if name in outputs:
            outputs[name] = policy_text(outputs[name], known.get(name))
    return outputs


def _read_topic(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("sns")
    told = client.get_topic_attributes(TopicArn=id_)["Attributes"]
    tags = tag_map(client.list_tags_for_resource(ResourceArn=id_)["Tags"])
    return {**_topic_outputs(told, known), "tagsAll": tags}


def _update_topic(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_valid(new)
    client = cloud.client("sns")
    for name in sorted(changed & _TOPIC.keys()):
        value = _text(new[name]) if new.get(name) is not None else "false" if name in _FLAGS else ""
        client.set_topic_attributes(TopicArn=id_, AttributeName=_TOPIC[name], AttributeValue=value)
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(ResourceArn=id_, TagKeys=removed)
        if tags:
            client.tag_resource(ResourceArn=id_, Tags=tag_list(tags))


def _delete_topic(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("sns").delete_topic(TopicArn=id_)


def _topic_arn(cloud: Cloud, name: str) -> str:
    return f"arn:{cloud.partition}:sns:{cloud.region}:{cloud.account_id}:{name}"


def _find_topic(cloud: Cloud, inputs: Properties) -> list[str]:
    arn = _topic_arn(cloud, inputs["name"])
    cloud.client("sns").get_topic_attributes(TopicArn=arn)
    return [arn]


# -- policies ----------------------------------------------------------------------------------------------------------

_EVERYTHING = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)


def _default_policy(cloud: Cloud, arn: str) -> Properties:
    """The policy that AWS gives a topic of which nobody says otherwise."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _EVERYTHING],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": cloud.account_id}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


def _put_policy(cloud: Cloud, arn: str, policy: str) -> None:
    require_policy(policy, "policy")
    cloud.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)


def _create_policy(cloud: Cloud, inputs: Properties) -> Created:
    arn = inputs["arn"]
    _put_policy(cloud, arn, inputs["policy"])
    return Created(arn, {**inputs, "owner": arn.split(":")[4]})


def _read_policy(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    told = cloud.client("sns").get_topic_attributes(TopicArn=id_)["Attributes"]
    text = policy_text(told["Policy"], known.get("policy"))
    if text != known.get("policy") and json.loads(text) == _default_policy(cloud, id_):
        return None
    return {"arn": id_, "owner": told["Owner"], "policy": text}


def _update_policy(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_policy(cloud, id_, new["policy"])


def _delete_policy(cloud: Cloud, id_: str, known: Properties) -> None:
    _put_policy(cloud, id_, json.dumps(_default_policy(cloud, id_)))


# -- subscriptions -----------------------------------------------------------------------------------------------------

# In the order in which SNS takes them: a filter policy is judged by its scope.
_SUBSCRIPTION = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "filterPolicy": "FilterPolicy",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "replayPolicy": "ReplayPolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}
_DOCUMENTS = ("deliveryPolicy", "filterPolicy", "redrivePolicy", "replayPolicy")


def _require_valid_subscription(inputs: Properties) -> None:
    if inputs.get("replayPolicy"):
        raise ProviderError("TopicSubscription: the local cloud archives no messages; leave out replayPolicy")
    if inputs["protocol"] == "firehose" and not inputs.get("subscriptionRoleArn"):
        raise ProviderError("TopicSubscription: the protocol firehose needs subscriptionRoleArn")
    if inputs.get("filterPolicyScope") and not inputs.get("filterPolicy"):
        raise ProviderError("TopicSubscription: filterPolicyScope goes with a filterPolicy")
    if inputs["protocol"] in ("email", "email-json", "sms") and inputs.get("rawMessageDelivery"):
        raise ProviderError(f"TopicSubscription: rawMessageDelivery is not for the protocol {inputs['protocol']}")


def _subscribe(cloud: Cloud, inputs: Properties) -> str:
    _require_valid_subscription(inputs)
    # moto takes any value of RawMessageDelivery here for a yes.
    attributes = {attribute: _text(inputs[name]) for name, attribute in _SUBSCRIPTION.items() if inputs.get(name)}
    answer = cloud.client("sns").subscribe(
        TopicArn=inputs["topic"],
        Protocol=inputs["protocol"],
        Endpoint=inputs["endpoint"],
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return str(answer["SubscriptionArn"])


def _read_subscription(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    told = cloud.client("sns").get_subscription_attributes(SubscriptionArn=id_)["Attributes"]
    outputs: Properties = {
        "arn": id_,
        "confirmationWasAuthenticated": _text(told["ConfirmationWasAuthenticated"]) == "true",
        "endpoint": told["Endpoint"],
        "ownerId": told["Owner"],
        "pendingConfirmation": _text(told["PendingConfirmation"]) == "true",
        "protocol": told["Protocol"],
        "topic": told["TopicArn"],
    }
    for name, attribute in _SUBSCRIPTION.items():
        if told.get(attribute) not in (None, "", "{}"):
            outputs[name] = told[attribute]
    for name in _DOCUMENTS:
        if name in outputs:
            outputs[name] = policy_text(outputs[name], known.get(name))
    if "filterPolicy" not in outputs:
        outputs.pop("filterPolicyScope", None)
    outputs["rawMessageDelivery"] = _text(told.get("RawMessageDelivery", False)) == "true"
    return outputs


def _update_subscription(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_valid_subscription(new)
    client = cloud.client("sns")
    if "filterPolicyScope" in changed and new.get("filterPolicy"):
        changed = {*changed, "filterPolicy"}  # a policy is compiled for a scope
    for name, attribute in _SUBSCRIPTION.items():
        if name not in changed or (name == "filterPolicyScope" and not new.get(name)):
            continue
        nothing = {"filterPolicy": "{}", "rawMessageDelivery": "false"}.get(name, "")
        value = _text(new[name]) if new.get(name) is not None else nothing
        client.set_subscription_attributes(SubscriptionArn=id_, AttributeName=attribute, AttributeValue=value)


def _unsubscribe(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("sns").unsubscribe(SubscriptionArn=id_)


def _find_subscription(cloud: Cloud, inputs: Properties) -> list[str]:
    pages = cloud.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=inputs["topic"])
    return [
        str(item["SubscriptionArn"])
        for page in pages
        for item in page["Subscriptions"]
        if (item["Protocol"], item["Endpoint"]) == (inputs["protocol"], inputs["endpoint"])
    ]


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_topic(cloud: Cloud, arguments: Properties) -> Properties:
    client, arn = cloud.client("sns"), _topic_arn(cloud, arguments["name"])
    client.get_topic_attributes(TopicArn=arn)
    tags = tag_map(client.list_tags_for_resource(ResourceArn=arn)["Tags"])
    return {"arn": arn, "id": arn, "name": arguments["name"], "region": cloud.region, "tags": tags}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:sns/topic:Topic",
        service="sns",
        create=_create_topic,
        read=_read_topic,
        update=_update_topic,
        delete=_delete_topic,
        find=_find_topic,
        name=AutoName(max_length=256, suffix=lambda inputs: ".fifo" if inputs.get("fifoTopic") else ""),
        replace_on=("name", "namePrefix", "fifoTopic"),
        computed=("arn", "beginningArchiveTime", "owner"),
        sticky=("fifoThroughputScope", "policy", "signatureVersion", "tracingConfig"),
        local=("maximumMessageSize", *(name for name in _TOPIC if name not in _TOLD)),
        defaults={"contentBasedDeduplication": False, "fifoTopic": False},
        json_documents=("archivePolicy", "deliveryPolicy", "policy"),
        tagged=True,
        absent=("NotFound",),
        limits="no archive and no delivery status: the settings are kept",
    ),
    ResourceType(
        token="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        create=_create_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        required=("arn", "policy"),
        replace_on=("arn",),
        computed=("owner",),
        json_documents=("policy",),
        absent=("NotFound",),
        adopts=True,
    ),
    ResourceType(
        token="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        create=_subscribe,
        read=_read_subscription,
        update=_update_subscription,
        delete=_unsubscribe,
        find=_find_subscription,
        required=("endpoint", "protocol", "topic"),
        replace_on=("endpoint", "protocol", "topic"),
        computed=("arn", "confirmationWasAuthenticated", "ownerId", "pendingConfirmation"),
        sticky=("filterPolicyScope",),
        local=("confirmationTimeoutInMinutes", "endpointAutoConfirms"),
        defaults={"confirmationTimeoutInMinutes": 1, "endpointAutoConfirms": False, "rawMessageDelivery": False},
        json_documents=_DOCUMENTS,
        absent=("NotFound",),
        limits="no replay; nobody needs to confirm",
    ),
)

FUNCTIONS = (Function(token="aws:sns/getTopic:getTopic", service="sns", call=_get_topic),)
