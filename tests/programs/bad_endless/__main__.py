"""Waits for ever once its queue is there, unless told not to."""

import time

import pulumi
import pulumi_aws as aws


def watch(url: str) -> str:
    while pulumi.Config().get_bool("wait"):
        time.sleep(0.05)
    return url


first = aws.sqs.Queue("first")
second = aws.sqs.Queue("second", tags={"after": first.arn.apply(watch)})
pulumi.export("second", second.url)
