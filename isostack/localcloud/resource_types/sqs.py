"""Amazon SQS: queues and their policies. Source: the SQS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.iam_policies import policy_text, require_policy
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType, tag_changes

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# Property to (queue attribute, type).
_ATTRIBUTES = {
    "contentBasedDeduplication": ("ContentBasedDeduplication", bool),
    "deduplicationScope": ("DeduplicationScope", str),
    "delaySeconds": ("DelaySeconds", int),
    "fifoQueue": ("FifoQueue", bool),
    "fifoThroughputLimit": ("FifoThroughputLimit", str),
    "kmsDataKeyReusePeriodSeconds": ("KmsDataKeyReusePeriodSeconds", int),
    "kmsMasterKeyId": ("KmsMasterKeyId", str),
    "maxMessageSize": ("MaximumMessageSize", int),
    "messageRetentionSeconds": ("MessageRetentionPeriod", int),
    "policy": ("Policy", str),
    "receiveWaitTimeSeconds": ("ReceiveMessageWaitTimeSeconds", int),
    "redriveAllowPolicy": ("RedriveAllowPolicy", str),
    "redrivePolicy": ("RedrivePolicy", str),
    "sqsManagedSseEnabled": ("SqsManagedSseEnabled", bool),
    "visibilityTimeoutSeconds": ("VisibilityTimeout", int),
}
_RANGES = {
    "delaySeconds": (0, 900),
    "kmsDataKeyReusePeriodSeconds": (60, 86_400),
    "maxMessageSize": (1024, 1_048_576),
    "messageRetentionSeconds": (60, 1_209_600),
    "receiveWaitTimeSeconds": (0, 20),
    "visibilityTimeoutSeconds": (0, 43_200),
}
# Written when a program stops giving the property.
_RESET = {"kmsMasterKeyId": ""}
_DOCUMENTS = ("policy", "redriveAllowPolicy", "redrivePolicy")
_ABSENT = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

# -- queues ------------------------------------------------------------------------------------------------------------


def _attributes(inputs: Properties, names: set[str] | None = None) -> dict[str, str]:
    attributes = {}
    for name, (attribute, kind) in _ATTRIBUTES.items():
        if names is not None and name not in names:
            continue
        value = inputs.get(name)
        if value is None:
            if names is not None and name in _RESET:
                attributes[attribute] = _RESET[name]
        elif value is False and name in ("fifoQueue", "contentBasedDeduplication") and not inputs.get("fifoQueue"):
            continue  # SQS knows these of FIFO queues only, not even as false
        else:
            attributes[attribute] = str(value).lower() if kind is bool else str(value)
    return attributes


def _require_valid(inputs: Properties) -> None:
    for name, (least, most) in _RANGES.items():
        value = inputs.get(name)
        if value is not None and not least <= int(value) <= most:
            raise ProviderError(f"Queue: {name} is {value}, and must be between {least} and {most}")
    fifo = bool(inputs.get("fifoQueue"))
    if fifo != str(inputs["name"]).endswith(".fifo"):
        raise ProviderError(f"Queue: the name {inputs['name']!r} and fifoQueue disagree; a FIFO queue's name ends in .fifo")
    for name in ("contentBasedDeduplication", "deduplicationScope", "fifoThroughputLimit"):
        if inputs.get(name) and not fifo:
            raise ProviderError(f"Queue: {name} is for FIFO queues only; set fifo_queue=True or leave it out")
    if inputs.get("kmsMasterKeyId") and inputs.get("sqsManagedSseEnabled"):
        raise ProviderError("Queue: give either kmsMasterKeyId or sqsManagedSseEnabled")
    if inputs.get("policy"):
        require_policy(inputs["policy"], "policy")


def _set_attributes(client: Any, url: str, attributes: dict[str, str]) -> None:
    if not attributes:
        return
    if "Policy" not in attributes:
        # moto drops the policy of a queue whenever anything else is set.
        kept = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        attributes = {**attributes, **({"Policy": kept["Policy"]} if kept.get("Policy") else {})}
    try:
        client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    except client.exceptions.QueueDoesNotExist as error:
        if not attributes.get("RedrivePolicy"):
            raise
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])  # is it this one that is gone?
        raise ProviderError("InvalidParameterValue: RedrivePolicy: the dead-letter queue does not exist") from error


def _create_queue(cloud: Cloud, inputs: Properties) -> Created:
    _require_valid(inputs)
    client, attributes = cloud.client("sqs"), _attributes(inputs)
    try:
        answer = client.create_queue(QueueName=inputs["name"], Attributes=attributes, tags=inputs.get("tagsAll") or {})
    except client.exceptions.QueueDoesNotExist as error:
        raise ProviderError("InvalidParameterValue: RedrivePolicy: the dead-letter queue does not exist") from error
    url = str(answer["QueueUrl"])
    return Created(url, {**_outputs(cloud, url, attributes, inputs), "tagsAll": inputs.get("tagsAll") or {}})


def _outputs(cloud: Cloud, url: str, attributes: dict[str, str], known: Properties) -> Properties:
    name = url.rpartition("/")[2]
    fifo = name.endswith(".fifo")
    encrypted = bool(attributes.get("KmsMasterKeyId"))
    outputs: Properties = {
        "arn": f"arn:{cloud.partition}:sqs:{cloud.region}:{cloud.account_id}:{name}",
        "url": url,
        "name": name,
        "contentBasedDeduplication": False,
        "fifoQueue": False,
        "kmsDataKeyReusePeriodSeconds": 300,
        **({"deduplicationScope": "queue", "fifoThroughputLimit": "perQueue"} if fifo else {}),
        **({"namePrefix": known["namePrefix"]} if known.get("namePrefix") else {}),
        # moto does not give this one back.
        **({"redriveAllowPolicy": known["redriveAllowPolicy"]} if known.get("redriveAllowPolicy") else {}),
    }
    for property_, (attribute, kind) in _ATTRIBUTES.items():
        text = attributes.get(attribute)
        if text not in (None, ""):
            outputs[property_] = text == "true" if kind is bool else kind(text)
    for property_ in _DOCUMENTS:
        if property_ in outputs:
            outputs[property_] = policy_text(outputs[property_], known.get(property_))
    outputs["sqsManagedSseEnabled"] = not encrypted and attributes.get("SqsManagedSseEnabled", "true") == "true"
    return outputs


def _read_queue(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("sqs")
    if not known and not id_.startswith(cloud.endpoint):  # an import by the address that AWS would give
        id_ = str(client.get_queue_url(QueueName=id_.rpartition("/")[2])["QueueUrl"])
    attributes = client.get_queue_attributes(QueueUrl=id_, AttributeNames=["All"])["Attributes"]
    tags = client.list_queue_tags(QueueUrl=id_).get("Tags", {})
    return {**_outputs(cloud, id_, attributes, known), "id": id_, "tagsAll": tags}


def _update_queue(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_valid(new)
    client = cloud.client("sqs")
    _set_attributes(client, id_, _attributes(new, changed))
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_queue(QueueUrl=id_, TagKeys=removed)
        if tags:
            client.tag_queue(QueueUrl=id_, Tags=tags)


def _delete_queue(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("sqs").delete_queue(QueueUrl=id_)


def _find_queue(cloud: Cloud, inputs: Properties) -> list[str]:
    return [str(cloud.client("sqs").get_queue_url(QueueName=inputs["name"])["QueueUrl"])]


# -- policies of a queue -----------------------------------------------------------------------------------------------


def _attribute_row(token: str, property_: str) -> ResourceType:
    """A queue's attribute that is a resource of its own."""
    attribute = _ATTRIBUTES[property_][0]

    def write(cloud: Cloud, inputs: Properties) -> Created:
        if property_ == "policy":
            require_policy(inputs[property_], property_)
        else:
            _require_object(inputs[property_], property_)
        _set_attributes(cloud.client("sqs"), inputs["queueUrl"], {attribute: inputs[property_]})
        return Created(inputs["queueUrl"], dict(inputs))

    def read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
        queue = _read_queue(cloud, id_, known)
        text = (queue or {}).get(property_) or (known.get(property_) if property_ == "redriveAllowPolicy" else None)
        if queue is None or (not text and property_ != "redriveAllowPolicy"):
            return None
        return {"id": queue["id"], "queueUrl": queue["url"], property_: policy_text(text or "{}", known.get(property_))}

    def update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
        write(cloud, new)

    def delete(cloud: Cloud, id_: str, known: Properties) -> None:
        _set_attributes(cloud.client("sqs"), id_, {attribute: ""})

    return ResourceType(
        token=token,
        service="sqs",
        create=write,
        read=read,
        update=update,
        delete=delete,
        required=("queueUrl", property_),
        replace_on=("queueUrl",),
        json_documents=(property_,),
        absent=_ABSENT,
        adopts=True,
    )


def _require_object(text: Any, property_: str) -> None:
    try:
        valid = isinstance(json.loads(text), dict)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ProviderError(f"InvalidParameterValue: {property_} is not a JSON object")


# -- look-ups ----------------------------------------------------------------------------------------------------------


def _get_queue(cloud: Cloud, arguments: Properties) -> Properties:
    client, name = cloud.client("sqs"), arguments["name"]
    url = str(client.get_queue_url(QueueName=name)["QueueUrl"])
    return {
        "arn": client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"],
        "id": url,
        "name": name,
        "region": cloud.region,
        "tags": client.list_queue_tags(QueueUrl=url).get("Tags", {}),
        "url": url,
    }


def _get_queues(cloud: Cloud, arguments: Properties) -> Properties:
    prefix = arguments.get("queueNamePrefix")
    pages = cloud.client("sqs").get_paginator("list_queues").paginate(**({"QueueNamePrefix": prefix} if prefix else {}))
    urls = [url for page in pages for url in page.get("QueueUrls", [])]
    return {**arguments, "id": cloud.region, "queueUrls": urls, "region": cloud.region}


RESOURCE_TYPES = (
    ResourceType(
        token="aws:sqs/queue:Queue",
        service="sqs",
        create=_create_queue,
        read=_read_queue,
        update=_update_queue,
        delete=_delete_queue,
        find=_find_queue,
        name=AutoName(max_length=80, suffix=lambda inputs: ".fifo" if inputs.get("fifoQueue") else ""),
        replace_on=("name", "namePrefix", "fifoQueue"),
        computed=("arn", "url"),
        sticky=(
            "deduplicationScope",
            "fifoThroughputLimit",
            "kmsDataKeyReusePeriodSeconds",
            "policy",
            "redriveAllowPolicy",
            "redrivePolicy",
            "sqsManagedSseEnabled",
        ),
        defaults={
            "contentBasedDeduplication": False,
            "delaySeconds": 0,
            "fifoQueue": False,
            "maxMessageSize": 262144,
            "messageRetentionSeconds": 345600,
            "receiveWaitTimeSeconds": 0,
            "visibilityTimeoutSeconds": 30,
        },
        json_documents=_DOCUMENTS,
        tagged=True,
        absent=_ABSENT,
    ),
    _attribute_row("aws:sqs/queuePolicy:QueuePolicy", "policy"),
    _attribute_row("aws:sqs/redrivePolicy:RedrivePolicy", "redrivePolicy"),
    _attribute_row("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "redriveAllowPolicy"),
)

FUNCTIONS = (
    Function(token="aws:sqs/getQueue:getQueue", service="sqs", call=_get_queue),
    Function(token="aws:sqs/getQueues:getQueues", service="sqs", call=_get_queues),
)
