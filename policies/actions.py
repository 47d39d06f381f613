"""Actions of AWS by what they put at risk. Data, from AWS's authorization reference; what it means is said by the rules."""

from __future__ import annotations

from policies.patterns import matches_action

# Ways to give oneself more than one has: all the actions of one way together.
ESCALATIONS: tuple[tuple[str, ...], ...] = (
    ("iam:AddUserToGroup",),
    ("iam:AttachGroupPolicy",),
    ("iam:AttachRolePolicy",),
    ("iam:AttachUserPolicy",),
    ("iam:CreateAccessKey",),
    ("iam:CreateLoginProfile",),
    ("iam:CreatePolicyVersion",),
    ("iam:DeleteRolePermissionsBoundary",),
    ("iam:DeleteUserPermissionsBoundary",),
    ("iam:PutGroupPolicy",),
    ("iam:PutRolePolicy",),
    ("iam:PutUserPolicy",),
    ("iam:SetDefaultPolicyVersion",),
    ("iam:UpdateAssumeRolePolicy",),
    ("iam:UpdateLoginProfile",),
    ("iam:CreateRole", "iam:PassRole"),
    ("iam:PassRole", "autoscaling:CreateAutoScalingGroup", "autoscaling:CreateLaunchConfiguration"),
    ("iam:PassRole", "cloudformation:CreateStack"),
    ("iam:PassRole", "codebuild:CreateProject", "codebuild:StartBuild"),
    ("iam:PassRole", "datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"),
    ("iam:PassRole", "ec2:RunInstances"),
    ("iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"),
    ("iam:PassRole", "glue:CreateDevEndpoint"),
    ("iam:PassRole", "glue:CreateJob", "glue:StartJobRun"),
    ("iam:PassRole", "lambda:CreateEventSourceMapping", "lambda:CreateFunction"),
    ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"),
    ("iam:PassRole", "sagemaker:CreateNotebookInstance"),
    ("iam:PassRole", "states:CreateStateMachine", "states:StartExecution"),
    ("glue:UpdateDevEndpoint",),
    ("lambda:UpdateFunctionCode",),
    ("ssm:SendCommand",),
)

# What gives credentials, or makes them.
CREDENTIALS = (
    "codeartifact:GetAuthorizationToken",
    "cognito-identity:GetCredentialsForIdentity",
    "cognito-identity:GetOpenIdToken",
    "cognito-identity:GetOpenIdTokenForDeveloperIdentity",
    "connect:GetFederationToken",
    "ec2:GetPasswordData",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreateServiceSpecificCredential",
    "iam:ResetServiceSpecificCredential",
    "iam:UpdateAccessKey",
    "iam:UpdateLoginProfile",
    "iam:UploadSSHPublicKey",
    "lightsail:DownloadDefaultKeyPair",
    "lightsail:GetBucketAccessKeys",
    "lightsail:GetInstanceAccessDetails",
    "rds-db:connect",
    "redshift:GetClusterCredentials",
    "redshift:GetClusterCredentialsWithIAM",
    "sso:GetRoleCredentials",
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:GetFederationToken",
    "sts:GetSessionToken",
)

# What gives data, or copies them to where they can be read.
DATA = (
    "appconfig:GetConfiguration",
    "athena:GetQueryResults",
    "dynamodb:BatchGetItem",
    "dynamodb:ExportTableToPointInTime",
    "dynamodb:GetItem",
    "dynamodb:GetRecords",
    "dynamodb:Query",
    "dynamodb:Scan",
    "ebs:GetSnapshotBlock",
    "ec2:CreateSnapshot",
    "ec2:GetConsoleScreenshot",
    "kinesis:GetRecords",
    "kms:Decrypt",
    "lambda:GetFunction",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:StartQuery",
    "rds:CopyDBSnapshot",
    "rds:CreateDBSnapshot",
    "rds:DownloadCompleteDBLogFile",
    "rds:StartExportTask",
    "rds-data:BatchExecuteStatement",
    "rds-data:ExecuteStatement",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "sqs:ReceiveMessage",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
)

# What says who may do something: roles, policies, and policies of resources.
PERMISSIONS = (
    "backup:PutBackupVaultAccessPolicy",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
    "ecr:SetRepositoryPolicy",
    "elasticfilesystem:PutFileSystemPolicy",
    "es:UpdateDomainConfig",
    "events:PutPermission",
    "glacier:SetVaultAccessPolicy",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:AddRoleToInstanceProfile",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateSAMLProvider",
    "iam:CreateUser",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PassRole",
    "iam:PutGroupPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateOpenIDConnectProviderThumbprint",
    "iam:UpdateSAMLProvider",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
    "lambda:AddLayerVersionPermission",
    "lambda:AddPermission",
    "organizations:AttachPolicy",
    "organizations:DetachPolicy",
    "organizations:UpdatePolicy",
    "ram:AssociateResourceShare",
    "ram:CreateResourceShare",
    "rds:ModifyDBClusterSnapshotAttribute",
    "rds:ModifyDBSnapshotAttribute",
    "s3:DeleteBucketPolicy",
    "s3:PutAccessPointPolicy",
    "s3:PutAccountPublicAccessBlock",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutObjectAcl",
    "secretsmanager:DeleteResourcePolicy",
    "secretsmanager:PutResourcePolicy",
    "sns:AddPermission",
    "sns:SetTopicAttributes",
    "sqs:AddPermission",
    "sqs:SetQueueAttributes",
    "ssm:ModifyDocumentPermission",
    "sso:AttachManagedPolicyToPermissionSet",
    "sso:CreateAccountAssignment",
    "sso:PutInlinePolicyToPermissionSet",
)

# What a condition may ask for in the place of a resource's name: the resource's tags, what it is used through, what it becomes.
NARROWING = (
    "aws:ResourceTag/",
    "autoscaling:ResourceTag/",
    "ec2:ResourceTag/",
    "iam:AWSServiceName",
    "iam:PermissionsBoundary",
    "iam:PolicyARN",
    "iam:ResourceTag/",
    "kms:EncryptionContext:",
    "kms:GrantIsForAWSResource",
    "kms:ResourceAliases",
    "kms:ViaService",
    "s3:ExistingObjectTag/",
    "secretsmanager:ResourceTag/",
    "ssm:resourceTag/",
)

# Verbs that only describe: what they give are settings and metrics. Those of them that give data are in DATA and CREDENTIALS.
DESCRIBING = ("BatchGet", "Describe", "Get", "List", "Lookup", "Search", "Simulate", "Validate", "View")

# Actions that change something, and that AWS lets nobody hold to a resource.
WITHOUT_RESOURCE = (
    "appconfig:CreateApplication",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ecs:CreateCluster",
    "ecs:DeregisterTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "ecs:RegisterTaskDefinition",
    "kms:CreateKey",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:StopQuery",
    "logs:UpdateLogDelivery",
    "sns:Unsubscribe",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


def takes_no_resource(pattern: str) -> bool:
    """Whether an action of a statement is one that cannot be held to a resource; a pattern with wildcards never is."""
    return pattern.lower() in _WITHOUT_RESOURCE


def only_describes(pattern: str) -> bool:
    """Whether an action of a statement, maybe with wildcards after its verb, gives settings and no data."""
    service, _, name = pattern.partition(":")
    if any(char in service for char in "*?") or not name.lower().startswith(_DESCRIBING):
        return False
    return not any(matches_action(pattern, action) for action in _READS)


_WITHOUT_RESOURCE = frozenset(action.lower() for action in WITHOUT_RESOURCE)
_DESCRIBING = tuple(verb.lower() for verb in DESCRIBING)
_READS = frozenset(action.lower() for action in (*DATA, *CREDENTIALS))
