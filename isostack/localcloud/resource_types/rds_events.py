"""Amazon RDS: event subscriptions. Source: the RDS API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.rds_requests import tags_of, update_tags
from isostack.localcloud.resource_types.row import AutoName, Properties, ResourceType, tag_list

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud


def _requests(inputs: Properties) -> dict[str, Any]:
    if inputs.get("sourceIds") and not inputs.get("sourceType"):
        raise ProviderError("InvalidParameterCombination: EventSubscription: sourceIds need a sourceType, such as db-instance")
    parameters = {"SnsTopicArn": inputs["snsTopic"], "Enabled": inputs["enabled"]}
    parameters |= {"SourceType": inputs["sourceType"]} if inputs.get("sourceType") else {}
    return parameters | ({"EventCategories": inputs["eventCategories"]} if inputs.get("eventCategories") else {})


def _create(cloud: Cloud, inputs: Properties) -> str:
    answer = cloud.client("rds").create_event_subscription(
        SubscriptionName=inputs["name"],
        Tags=tag_list(inputs.get("tagsAll")),
        **_requests(inputs),
        **({"SourceIds": inputs["sourceIds"]} if inputs.get("sourceIds") else {}),
    )
    return str(answer["EventSubscription"]["CustSubscriptionId"])


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties:
    client = cloud.client("rds")
    found = client.describe_event_subscriptions(SubscriptionName=id_)["EventSubscriptionsList"][0]
    arn = found["EventSubscriptionArn"]
    return {
        "arn": arn,
        "customerAwsId": found.get("CustomerAwsId") or cloud.account_id,
        "enabled": found["Enabled"],
        "eventCategories": found.get("EventCategoriesList") or [],
        "name": found["CustSubscriptionId"],
        "snsTopic": found["SnsTopicArn"],
        "sourceIds": found.get("SourceIdsList") or [],
        "sourceType": found.get("SourceType") or "",
        "tagsAll": tags_of(client, arn),
    }


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("rds")
    if changed & {"enabled", "eventCategories", "snsTopic", "sourceType"}:
        parameters = {"EventCategories": [], **_requests(new)}
        client.modify_event_subscription(SubscriptionName=id_, **parameters)
    before, after = set(old.get("sourceIds") or []), set(new.get("sourceIds") or [])
    for source in sorted(before - after):
        client.remove_source_identifier_from_subscription(SubscriptionName=id_, SourceIdentifier=source)
    for source in sorted(after - before):
        client.add_source_identifier_to_subscription(SubscriptionName=id_, SourceIdentifier=source)
    update_tags(client, old["arn"], old, new)


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("rds").delete_event_subscription(SubscriptionName=id_)


RESOURCE_TYPES = (
    ResourceType(
        token="aws:rds/eventSubscription:EventSubscription",
        service="rds",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        name=AutoName(max_length=255),
        required=("snsTopic",),
        replace_on=("name", "namePrefix"),
        computed=("arn", "customerAwsId"),
        local=("namePrefix",),
        defaults={"enabled": True},
        sets=("eventCategories", "sourceIds"),
        absent=("SubscriptionNotFound",),
        tagged=True,
        limits="no event is delivered",
    ),
)
