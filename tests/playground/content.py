"""What is in a playground: put there, and seen as its users see it."""

from __future__ import annotations

from typing import Any

from isostack.engine.events import Event
from tests.playground.conftest import Yard


def quiet(event: Event) -> None:
    """Nobody watches."""


def fill(yard: Yard, name: str, mark: str) -> None:
    """Put something of everything into a playground."""
    values, outputs = yard.playgrounds.environment(name), yard.outputs(name)
    yard.sql(name, f"drop table if exists goods; create table goods as select '{mark}' as mark")
    s3 = yard.client("s3")
    for body in (b"first", mark.encode()):
        s3.put_object(Bucket=values["BUCKET"], Key="a/b.txt", Body=body, ContentType="text/x-mark", Metadata={"by": "ana"})
    s3.put_object_tagging(Bucket=values["BUCKET"], Key="a/b.txt", Tagging={"TagSet": [{"Key": "kind", "Value": mark}]})
    yard.local_cloud.drop_messages(_arn(yard, values["QUEUE_URL"]))
    attributes: Any = {"n": {"DataType": "Number", "StringValue": "7"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    yard.client("sqs").send_message(QueueUrl=values["QUEUE_URL"], MessageBody=f"<{mark}&>", MessageAttributes=attributes)
    yard.client("secretsmanager").put_secret_value(SecretId=outputs["secret"], SecretString=f"secret {mark}")
    yard.client("ssm").put_parameter(Name=outputs["parameter"], Value=mark, Overwrite=True)
    item: Any = {"id": {"S": "1"}, "mark": {"S": mark}, "raw": {"B": b"\x01\x02"}, "many": {"L": [{"N": "1.5"}]}}
    yard.client("dynamodb").put_item(TableName=outputs["table"], Item=item)


def content(yard: Yard, name: str) -> dict[str, Any]:
    """What is in a playground, as its users see it."""
    values, outputs = yard.playgrounds.environment(name), yard.outputs(name)
    s3, bucket = yard.client("s3"), values["BUCKET"]
    versions = s3.list_object_versions(Bucket=bucket).get("Versions", [])
    latest = s3.get_object(Bucket=bucket, Key="a/b.txt")
    tags = s3.get_object_tagging(Bucket=bucket, Key="a/b.txt")["TagSet"]
    messages = yard.local_cloud.messages(_arn(yard, values["QUEUE_URL"]))
    return {
        "goods": yard.sql(name, "select mark from goods"),
        "versions": len(versions),
        "file": (latest["Body"].read(), latest["ContentType"], latest["Metadata"], tags),
        "messages": messages,
        "secret": yard.client("secretsmanager").get_secret_value(SecretId=outputs["secret"])["SecretString"],
        "parameter": yard.client("ssm").get_parameter(Name=outputs["parameter"])["Parameter"]["Value"],
        "items": yard.client("dynamodb").scan(TableName=outputs["table"])["Items"],
    }


def _arn(yard: Yard, url: str) -> str:
    attributes = yard.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return str(attributes["QueueArn"])
