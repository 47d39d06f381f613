"""Alarms."""

import pulumi_aws as aws


def alarm_on_backlog(queue: aws.sqs.Queue, topic: aws.sns.Topic) -> aws.cloudwatch.MetricAlarm:
    return aws.cloudwatch.MetricAlarm(
        "orders-backlog",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=2,
        metric_name="ApproximateAgeOfOldestMessage",
        namespace="AWS/SQS",
        period=300,
        statistic="Maximum",
        threshold=900,
        dimensions={"QueueName": queue.name},
        alarm_actions=[topic.arn],
    )
