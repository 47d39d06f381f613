"""A program whose body is a coroutine."""

import asyncio

import pulumi
import pulumi_aws as aws


async def warm_up(name: str) -> str:
    await asyncio.sleep(0.01)
    return f"{name}-warm"


async def main() -> dict[str, object]:
    names = await asyncio.gather(*(warm_up(name) for name in ("red", "green")))
    queues = [aws.sqs.Queue(name) for name in names]
    region = await aws.get_region_output().future()
    topic = aws.sns.Topic("late", display_name=region.region if region else "later")
    return {"queues": [queue.url for queue in queues], "topic": topic.arn}


pulumi.run(main)
