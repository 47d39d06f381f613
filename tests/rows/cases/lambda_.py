"""Lambda's resource types."""

from __future__ import annotations

import json
from typing import Any

from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY
from tests.rows.case import Case, Need, Ref


def _code(text: str) -> dict[str, Any]:
    return {
        SIGNATURE_KEY: ARCHIVE_SIGNATURE,
        "assets": {"main.py": {SIGNATURE_KEY: ASSET_SIGNATURE, "text": text}},
    }


_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
_ROLE = Need("aws:iam/role:Role", {"name": "worker", "assumeRolePolicy": _TRUST})
_FUNCTION = Need(
    "aws:lambda/function:Function",
    {
        "name": "worker",
        "role": Ref("role", "arn"),
        "handler": "main.handle",
        "runtime": "python3.12",
        "code": _code("1"),
        "publish": True,
    },
)
_NEEDS = {"role": _ROLE, "function": _FUNCTION}
_PLAIN = {
    "role": Ref("role", "arn"),
    "handler": "main.handle",
    "runtime": "python3.12",
    "code": _code("def handle(event, context): ..."),
}
_STREAMED = Need(
    "aws:dynamodb/table:Table",
    {
        "name": "orders",
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": "id",
        "attributes": [{"name": "id", "type": "S"}],
        "streamEnabled": True,
        "streamViewType": "NEW_IMAGE",
    },
)

CASES = [
    Case(
        token="aws:lambda/function:Function",
        needs={
            "role": _ROLE,
            "dead": Need("aws:sqs/queue:Queue", {"name": "dead"}),
            "layer": Need("aws:lambda/layerVersion:LayerVersion", {"layerName": "base", "code": _code("layer")}),
        },
        inputs={
            **_PLAIN,
            "name": "orders",
            "architectures": ["arm64"],
            "deadLetterConfig": {"targetArn": Ref("dead", "arn")},
            "description": "d",
            "environment": {"variables": {"A": "1", "B": "2"}},
            "ephemeralStorage": {"size": 1024},
            "layers": [Ref("layer", "arn"), "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertools:1"],
            "loggingConfig": {"logFormat": "JSON"},
            "memorySize": 256,
            "publish": True,
            "reservedConcurrentExecutions": 5,
            "timeout": 10,
            "tracingConfig": {"mode": "Active"},
            "tags": {"a": "1", "b": "1"},
        },
        update={
            "code": _code("def handle(event, context): return 1"),
            "deadLetterConfig": None,
            "description": None,
            "environment": {"variables": {"A": "2"}},
            "layers": None,
            "memorySize": 512,
            "reservedConcurrentExecutions": -1,
            "timeout": None,
            "tags": {"a": "2"},
        },
        replace={"name": "returns"},
        expect={
            "arn": str,
            "invokeArn": str,
            "qualifiedArn": str,
            "sourceCodeHash": str,
            "sourceCodeSize": int,
            "version": "1",
            "packageType": "Zip",
        },
    ),
    Case(
        token="aws:lambda/function:Function",
        name="in-a-network",
        needs={
            "role": _ROLE,
            "vpc": Need("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}),
            "subnet": Need("aws:ec2/subnet:Subnet", {"vpcId": Ref("vpc", "id"), "cidrBlock": "10.0.1.0/24"}),
            "group": Need("aws:ec2/securityGroup:SecurityGroup", {"vpcId": Ref("vpc", "id")}),
        },
        inputs={
            **_PLAIN,
            "vpcConfig": {"subnetIds": [Ref("subnet", "id")], "securityGroupIds": [Ref("group", "id")]},
        },
        update={"vpcConfig": None, "publish": True},
        expect={"name": str, "version": "$LATEST", "vpcConfig": dict, "timeout": 3},
    ),
    Case(
        token="aws:lambda/function:Function",
        name="of-an-image",
        needs={"role": _ROLE},
        inputs={
            "name": "image",
            "packageType": "Image",
            "role": Ref("role", "arn"),
            "imageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1",
            "imageConfig": {"commands": ["run"], "entryPoints": ["/bin/app"], "workingDirectory": "/"},
        },
        update={"imageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:2", "imageConfig": None},
        replace={**_PLAIN, "packageType": "Zip", "imageUri": None, "imageConfig": None},
    ),
    Case(
        token="aws:lambda/function:Function",
        name="from-a-bucket",
        needs={
            "role": _ROLE,
            "bucket": Need("aws:s3/bucket:Bucket", {"forceDestroy": True}),
            "object": Need(
                "aws:s3/bucketObjectv2:BucketObjectv2",
                {"bucket": Ref("bucket", "id"), "key": "code.zip", "source": _code("def handle(event, context): ...")},
            ),
        },
        inputs={
            **_PLAIN,
            "name": "from-a-bucket",
            "code": None,
            "s3Bucket": Ref("bucket", "id"),
            "s3Key": Ref("object", "key"),
            "sourceCodeHash": "one",
        },
        update={"sourceCodeHash": "two", "runtime": "python3.13"},
        replace={"name": "other"},
        expect={"codeSha256": str, "sourceCodeHash": "one"},
    ),
    Case(
        token="aws:lambda/alias:Alias",
        needs=_NEEDS,
        inputs={
            "name": "live",
            "description": "d",
            "functionName": Ref("function", "arn"),
            "functionVersion": Ref("function", "version"),
        },
        update={
            "description": None,
            "functionVersion": "$LATEST",
            "routingConfig": {"additionalVersionWeights": {"1": 0.5}},
        },
        replace={"name": "next"},
        import_id="worker/{name}",
        expect={"arn": str, "invokeArn": str},
    ),
    Case(
        token="aws:lambda/layerVersion:LayerVersion",
        inputs={
            "layerName": "base",
            "code": _code("layer"),
            "compatibleArchitectures": ["x86_64", "arm64"],
            "compatibleRuntimes": ["python3.12"],
            "description": "d",
            "licenseInfo": "MIT",
        },
        update={"skipDestroy": True},
        replace={"code": _code("other layer")},
        expect={"arn": str, "layerArn": str, "version": "1"},
    ),
    Case(
        token="aws:lambda/permission:Permission",
        needs=_NEEDS,
        inputs={
            "action": "lambda:InvokeFunction",
            "function": Ref("function", "name"),
            "principal": "s3.amazonaws.com",
            "sourceAccount": "123456789012",
            "sourceArn": "arn:aws:s3:::a-bucket",
        },
        replace={"principal": "sns.amazonaws.com"},
        import_id="{function}/{id}",
        expect={"statementId": str},
    ),
    Case(
        token="aws:lambda/permission:Permission",
        name="for-a-version",
        needs=_NEEDS,
        inputs={
            "action": "lambda:InvokeFunction",
            "function": Ref("function", "arn"),
            "principal": "123456789012",
            "qualifier": "1",
            "statementId": "partner",
        },
        replace={"statementId": "other"},
        import_id="worker:1/{id}",
    ),
    Case(
        token="aws:lambda/eventSourceMapping:EventSourceMapping",
        needs={**_NEEDS, "queue": Need("aws:sqs/queue:Queue", {"name": "jobs"})},
        inputs={
            "eventSourceArn": Ref("queue", "arn"),
            "functionName": Ref("function", "name"),
            "batchSize": 5,
            "filterCriteria": {"filters": [{"pattern": '{"body": {"a": [1]}}'}]},
            "functionResponseTypes": ["ReportBatchItemFailures"],
            "maximumBatchingWindowInSeconds": 2,
            "scalingConfig": {"maximumConcurrency": 3},
        },
        update={
            "batchSize": 7,
            "enabled": False,
            "filterCriteria": None,
            "functionResponseTypes": None,
            "maximumBatchingWindowInSeconds": None,
            "scalingConfig": None,
        },
        expect={"uuid": str, "functionArn": str, "state": "Enabled", "arn": str},
    ),
    Case(
        token="aws:lambda/eventSourceMapping:EventSourceMapping",
        name="of-a-stream",
        needs={**_NEEDS, "table": _STREAMED, "dead": Need("aws:sqs/queue:Queue", {"name": "dead"})},
        inputs={
            "eventSourceArn": Ref("table", "streamArn"),
            "functionName": Ref("function", "arn"),
            "startingPosition": "LATEST",
            "bisectBatchOnFunctionError": True,
            "destinationConfig": {"onFailure": {"destinationArn": Ref("dead", "arn")}},
            "maximumRetryAttempts": 3,
            "parallelizationFactor": 2,
            "tags": {"a": "1"},
        },
        update={"destinationConfig": None, "maximumRetryAttempts": 5},
        replace={"startingPosition": "TRIM_HORIZON"},
        expect={"batchSize": 100},
    ),
    Case(
        token="aws:lambda/functionUrl:FunctionUrl",
        needs=_NEEDS,
        inputs={
            "authorizationType": "NONE",
            "functionName": Ref("function", "name"),
            "cors": {"allowOrigins": ["https://example.com"], "allowMethods": ["*"], "maxAge": 60},
        },
        update={"authorizationType": "AWS_IAM", "cors": {"allowOrigins": ["*"]}},
        replace={"functionName": "another"},
        expect={"functionUrl": str, "functionArn": str, "urlId": str, "invokeMode": "BUFFERED"},
    ),
]
