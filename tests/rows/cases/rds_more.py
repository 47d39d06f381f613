"""RDS: parameter groups of clusters, and event subscriptions."""

from __future__ import annotations

from tests.rows.case import Case, Need, Ref

_TOPIC = {"topic": Need("aws:sns/topic:Topic", {"name": "database"}), "other": Need("aws:sns/topic:Topic", {"name": "other"})}

CASES = [
    Case(
        token="aws:rds/clusterParameterGroup:ClusterParameterGroup",
        inputs={
            "family": "aurora-postgresql16",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "log_min_duration_statement", "value": "250", "applyMethod": "immediate"},
            ],
            "tags": {"a": "1"},
        },
        update={
            "parameters": [
                {"name": "log_min_duration_statement", "value": "500"},
                {"name": "max_connections", "value": "200", "applyMethod": "pending-reboot"},
            ],
            "tags": {"a": "2"},
        },
        replace={"family": "aurora-postgresql15"},
        expect={"arn": str, "description": "Managed by Pulumi"},
    ),
    Case(
        token="aws:rds/parameterGroup:ParameterGroup",
        name="taken-out",
        inputs={
            "family": "postgres16",
            "parameters": [{"name": "log_min_duration_statement", "value": "250"}, {"name": "rds.force_ssl", "value": "1"}],
        },
        update={"parameters": [{"name": "rds.force_ssl", "value": "1"}]},
    ),
    Case(
        token="aws:rds/eventSubscription:EventSubscription",
        needs=_TOPIC,
        inputs={
            "snsTopic": Ref("topic", "arn"),
            "sourceType": "db-instance",
            "eventCategories": ["failover", "low storage"],
            "sourceIds": ["shop"],
            "tags": {"a": "1"},
        },
        update={
            "snsTopic": Ref("other", "arn"),
            "eventCategories": None,
            "enabled": False,
            "sourceIds": ["shop-2"],
            "tags": {"a": "2"},
        },
        replace={"name": "other"},
        expect={"arn": str, "customerAwsId": str, "enabled": True},
    ),
]
