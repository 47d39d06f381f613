"""What moto 5.2.5 gets wrong and a program would notice, mended: one named function each.

Runs inside the local cloud's process, when moto has loaded a service's modules. Bucket policies and databases, which need more
than a few lines, have modules of their own, as have ElastiCache and STS.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache, partial
from inspect import signature
from operator import itemgetter
from typing import Any

from isostack.localcloud.caches import mend_caches
from isostack.localcloud.trust import ask_trust_policies


def mend_what_is_loaded() -> None:
    """Mend each service whose modules moto has loaded, once."""
    for module, mends in _MENDS.items():
        if module in sys.modules:
            for mend in mends:
                mend()


@cache
def _resize_prefix_lists() -> None:
    """moto ignores a new size."""
    from moto.ec2.responses.vpcs import VPCs

    modify = VPCs.modify_managed_prefix_list

    def modify_and_resize(self: Any) -> Any:
        answer = modify(self)
        if size := self._get_param("MaxEntries"):
            self.ec2_backend.managed_prefix_lists[self._get_param("PrefixListId")].max_entries = int(size)
        return answer

    VPCs.modify_managed_prefix_list = modify_and_resize  # type: ignore[method-assign]  # that is what mends it


@cache
def _forget_deleted_prefix_lists() -> None:
    """moto shows a deleted list until it has been described twice, and breaks down over one that it does not know."""
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend

    def delete(self: Any, prefix_list_id: str) -> Any:
        if prefix_list_id not in self.managed_prefix_lists:
            message = f"The prefix list ID '{prefix_list_id}' does not exist"
            raise EC2ClientError("InvalidPrefixListID.NotFound", message)
        deleted = self.managed_prefix_lists.pop(prefix_list_id)
        deleted.state = "delete-complete"
        return deleted

    ManagedPrefixListBackend.delete_managed_prefix_list = delete  # type: ignore[method-assign]  # that is what mends it


@cache
def _tag_new_dhcp_options() -> None:
    """moto ignores the tags that a create call gives."""
    from moto.ec2.responses.dhcp_options import DHCPOptions

    create = DHCPOptions.create_dhcp_options

    def create_and_tag(self: Any) -> Any:
        before = set(self.ec2_backend.dhcp_options_sets)
        answer = create(self)
        tags = self._parse_tag_specification().get("dhcp-options", {})
        for id_ in self.ec2_backend.dhcp_options_sets.keys() - before:
            self.ec2_backend.dhcp_options_sets[id_].add_tags(tags)
        return answer

    DHCPOptions.create_dhcp_options = create_and_tag  # type: ignore[method-assign]  # that is what mends it


@cache
def _take_composite_alarms() -> None:
    """moto keeps composite alarms like others, but has no call that makes one, and does not show their rules."""
    from moto.cloudwatch.models import Alarm
    from moto.cloudwatch.responses import CloudWatchResponse

    shown: Any = Alarm
    shown.alarm_rule = property(lambda alarm: alarm.rule)
    answers: Any = CloudWatchResponse

    def put_composite_alarm(self: Any) -> Any:
        answer = self.put_metric_alarm()
        alarm = self.cloudwatch_backend.alarms[self._get_param("AlarmName")]
        alarm.actions_suppressor = self._get_param("ActionsSuppressor")
        alarm.actions_suppressor_extension_period = self._get_param("ActionsSuppressorExtensionPeriod")
        alarm.actions_suppressor_wait_period = self._get_param("ActionsSuppressorWaitPeriod")
        return answer

    answers.put_composite_alarm = put_composite_alarm


@cache
def _replace_whole_web_acls() -> None:
    """An update sets everything that can be set; moto keeps what the call leaves out, and rules that an empty list ends."""
    from moto.wafv2.models import FakeRuleGroup, FakeWebACL

    for kind, named in (
        (FakeWebACL, ("association_config", "captcha_config", "challenge_config", "custom_response_bodies", "token_domains")),
        (FakeRuleGroup, ("custom_response_bodies",)),
    ):
        patched: Any = kind
        patched.update = _forgetting(patched.update, named)


def _forgetting(update: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    parameters = signature(update)

    def update_all(self: Any, *arguments: Any, **named: Any) -> Any:
        given = parameters.bind(self, *arguments, **named).arguments
        self.rules, self.description = given["rules"] or [], given["description"] or ""
        for name in names:
            setattr(self, name, given[name])
        return update(self, *arguments, **named)

    return update_all


@cache
def _protect_with_one_web_acl() -> None:
    """A resource has one web ACL, the last; moto keeps all that it was ever given."""
    from moto.wafv2.models import WAFV2Backend

    associate = WAFV2Backend.associate_web_acl

    def associate_alone(self: Any, web_acl_arn: str, resource_arn: str) -> None:
        if web_acl_arn in self.wacls:
            for acl in self.wacls.values():
                acl.associated_resources[:] = [arn for arn in acl.associated_resources if arn != resource_arn]
        associate(self, web_acl_arn, resource_arn)

    WAFV2Backend.associate_web_acl = associate_alone  # type: ignore[method-assign]  # that is what mends it


@cache
def _refuse_second_ip_sets() -> None:
    """moto makes two IP sets of one name."""
    from moto.wafv2.exceptions import WAFV2DuplicateItemException
    from moto.wafv2.models import WAFV2Backend

    create = WAFV2Backend.create_ip_set

    def create_first(self: Any, name: str, scope: str, *arguments: Any, **named: Any) -> Any:
        if any((found.name, found.scope) == (name, scope) for found in self.ip_sets.values()):
            raise WAFV2DuplicateItemException
        return create(self, name, scope, *arguments, **named)

    WAFV2Backend.create_ip_set = create_first  # type: ignore[method-assign]  # that is what mends it


@cache
def _spell_pattern_sets_for_cloudfront() -> None:
    """moto calls CloudFront's sets regional in their ARNs, and then looks for their tags in the wrong place."""
    from moto.wafv2 import models
    from moto.wafv2.utils import make_arn

    patched: Any = models
    patched.make_arn_for_regex_pattern_set = partial(make_arn, resource="regexpatternset")


@cache
def _list_configurations() -> None:
    """moto lists neither AppConfig's applications nor its hosted versions."""
    from moto.appconfig.responses import AppConfigResponse

    def list_applications(self: Any) -> str:
        applications = self.appconfig_backend.applications.values()
        return json.dumps({"Items": [application.to_json() for application in applications]})

    def list_hosted_configuration_versions(self: Any) -> str:
        profile = self.appconfig_backend.get_configuration_profile(
            self._get_param("ApplicationId"), self._get_param("ConfigurationProfileId")
        )
        items = [{"VersionNumber": number, "ContentType": one.content_type} for number, one in profile.config_versions.items()]
        return json.dumps({"Items": sorted(items, key=itemgetter("VersionNumber"), reverse=True)})

    patched: Any = AppConfigResponse
    patched.list_applications = list_applications
    patched.list_hosted_configuration_versions = list_hosted_configuration_versions


@cache
def _miss_configurations_politely() -> None:
    """moto breaks down when it is to delete a profile or a version that is not there, and says nothing of an application."""
    from moto.appconfig.models import AppConfigBackend

    patched: Any = AppConfigBackend
    for deletion, look in (
        ("delete_application", "get_application"),
        ("delete_configuration_profile", "get_configuration_profile"),
        ("delete_hosted_configuration_version", "get_hosted_configuration_version"),
    ):
        setattr(patched, deletion, _after(getattr(patched, look), getattr(patched, deletion)))


def _after(look: Callable[..., Any], act: Callable[..., Any]) -> Callable[..., Any]:
    """Does what the second does where the first does not raise."""

    def look_and_act(self: Any, *arguments: Any, **named: Any) -> Any:
        look(self, *arguments, **named)
        return act(self, *arguments, **named)

    return look_and_act


@cache
def _reset_parameters() -> None:
    """moto has neither ResetDBParameterGroup nor ResetDBClusterParameterGroup."""
    from moto.core.responses import ActionResult
    from moto.rds.responses import RDSResponse

    def reset_db_parameter_group(self: Any) -> ActionResult:
        group = self.backend.describe_db_parameter_groups({"db_parameter_group_name": self.params["DBParameterGroupName"]})[0]
        if self.params.get("ResetAllParameters"):
            group.parameters.clear()
        for parameter in self.params.get("Parameters") or []:
            group.parameters.pop(parameter["ParameterName"], None)
        return ActionResult({"DBParameterGroupName": group.name})

    def reset_db_cluster_parameter_group(self: Any) -> ActionResult:
        (group,) = self.backend.describe_db_cluster_parameter_groups(group_name=self.params["DBClusterParameterGroupName"])
        if self.params.get("ResetAllParameters"):
            group.parameters.clear()
        for parameter in self.params.get("Parameters") or []:
            group.parameters.pop(parameter["ParameterName"], None)
        return ActionResult({"DBClusterParameterGroupName": group.name})

    RDSResponse.reset_db_cluster_parameter_group = reset_db_cluster_parameter_group  # type: ignore[attr-defined]  # as below
    RDSResponse.reset_db_parameter_group = reset_db_parameter_group  # type: ignore[attr-defined]  # that is what mends it


@cache
def _change_event_subscriptions() -> None:
    """moto makes and deletes RDS's event subscriptions, and changes none."""
    from moto.core.responses import ActionResult
    from moto.rds.responses import RDSResponse

    changeable = {
        "Enabled": "enabled",
        "EventCategories": "event_categories",
        "SnsTopicArn": "sns_topic_arn",
        "SourceType": "source_type",
    }

    def asked(self: Any) -> Any:
        return next(iter(self.backend.describe_event_subscriptions(self.params["SubscriptionName"])))

    def modify_event_subscription(self: Any) -> ActionResult:
        subscription = asked(self)
        for parameter, attribute in changeable.items():
            if (value := self.params.get(parameter)) is not None:
                setattr(subscription, attribute, value)
        return ActionResult({"EventSubscription": subscription})

    def add_source_identifier_to_subscription(self: Any) -> ActionResult:
        subscription = asked(self)
        subscription.source_ids = [*subscription.source_ids, self.params["SourceIdentifier"]]
        return ActionResult({"EventSubscription": subscription})

    def remove_source_identifier_from_subscription(self: Any) -> ActionResult:
        subscription = asked(self)
        subscription.source_ids = [id_ for id_ in subscription.source_ids if id_ != self.params["SourceIdentifier"]]
        return ActionResult({"EventSubscription": subscription})

    answers: Any = RDSResponse
    answers.modify_event_subscription = modify_event_subscription
    answers.add_source_identifier_to_subscription = add_source_identifier_to_subscription
    answers.remove_source_identifier_from_subscription = remove_source_identifier_from_subscription


@cache
def _add_client_ids() -> None:
    """moto makes identity providers with their client ids, and adds none to one that is there."""
    from moto.core.responses import EmptyResult
    from moto.iam.responses import IamResponse

    def add_client_id_to_open_id_connect_provider(self: Any) -> EmptyResult:
        provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
        provider.client_id_list = list(dict.fromkeys([*provider.client_id_list, self._get_param("ClientID")]))
        return EmptyResult()

    answers: Any = IamResponse
    answers.add_client_id_to_open_id_connect_provider = add_client_id_to_open_id_connect_provider


@cache
def _keep_queue_policies() -> None:
    """moto drops a queue's policy whenever another attribute is set."""
    from moto.sqs.models import Queue

    patched: Any = Queue
    set_attributes = patched._set_attributes

    def set_and_keep(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        policy = getattr(self, "policy", None)
        set_attributes(self, attributes, now)
        if "Policy" not in attributes:
            self.policy = policy

    patched._set_attributes = set_and_keep


_MENDS: dict[str, tuple[Callable[[], None], ...]] = {
    "moto.appconfig.models": (_list_configurations, _miss_configurations_politely),
    "moto.cloudwatch.models": (_take_composite_alarms,),
    "moto.elasticache.models": (mend_caches,),
    "moto.iam.models": (_add_client_ids,),
    "moto.rds.models": (_change_event_subscriptions, _reset_parameters),
    "moto.ec2.models": (_resize_prefix_lists, _forget_deleted_prefix_lists, _tag_new_dhcp_options),
    "moto.sqs.models": (_keep_queue_policies,),
    "moto.sts.responses": (ask_trust_policies,),
    "moto.wafv2.models": (
        _replace_whole_web_acls,
        _protect_with_one_web_acl,
        _refuse_second_ip_sets,
        _spell_pattern_sets_for_cloudfront,
    ),
}
