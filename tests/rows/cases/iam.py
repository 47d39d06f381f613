"""IAM's resource types."""

from __future__ import annotations

import json

from tests.rows.case import Case, Need, Ref


def _policy(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def _trust(service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


_READ, _WRITE = _policy("s3:GetObject"), _policy("s3:PutObject")
_ROLE = Need("aws:iam/role:Role", {"name": "worker", "assumeRolePolicy": _trust("ec2")})
_OTHER_ROLE = Need("aws:iam/role:Role", {"name": "other-worker", "assumeRolePolicy": _trust("ec2")})
_USER = Need("aws:iam/user:User", {"name": "ada"})
_OTHER_USER = Need("aws:iam/user:User", {"name": "grace"})
_GROUP = Need("aws:iam/group:Group", {"name": "staff"})
_OTHER_GROUP = Need("aws:iam/group:Group", {"name": "guests"})
_POLICY = Need("aws:iam/policy:Policy", {"name": "reader", "policy": _READ})
_OTHER_POLICY = Need("aws:iam/policy:Policy", {"name": "writer", "policy": _WRITE})

CASES = [
    Case(
        token="aws:iam/role:Role",
        needs={"policy": _POLICY, "other": _OTHER_POLICY},
        inputs={
            "name": "runner",
            "path": "/service/",
            "description": "runs things",
            "assumeRolePolicy": _trust("ecs-tasks"),
            "maxSessionDuration": 7200,
            "permissionsBoundary": Ref("other", "arn"),
            "inlinePolicies": [{"name": "b", "policy": _READ}, {"name": "a", "policy": _WRITE}],
            "managedPolicyArns": [Ref("policy", "arn")],
            "tags": {"a": "1", "b": "2"},
        },
        update={
            "assumeRolePolicy": _trust("lambda"),
            "description": "runs other things",
            "maxSessionDuration": 3600,
            "permissionsBoundary": Ref("policy", "arn"),
            "inlinePolicies": [{"name": "b", "policy": _WRITE}],
            "managedPolicyArns": [Ref("other", "arn")],
            "tags": {"a": "2"},
        },
        replace={"path": "/batch/"},
        expect={"arn": str, "createDate": str, "uniqueId": str, "forceDetachPolicies": False},
    ),
    Case(
        token="aws:iam/role:Role",
        name="named-automatically",
        inputs={"assumeRolePolicy": _trust("ec2"), "inlinePolicies": [{}], "forceDetachPolicies": True},
        update={"permissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess", "forceDetachPolicies": False},
        replace={"name": "mine"},
        expect={"path": "/", "maxSessionDuration": 3600, "name": str},
    ),
    Case(
        token="aws:iam/serviceLinkedRole:ServiceLinkedRole",
        inputs={
            "awsServiceName": "autoscaling.amazonaws.com",
            "customSuffix": "blue",
            "description": "d",
            "tags": {"a": "1"},
        },
        update={"description": "e", "tags": {"b": "2"}},
        replace={"customSuffix": "green"},
        expect={"name": "AWSServiceRoleForAutoScaling_blue", "path": "/aws-service-role/autoscaling.amazonaws.com/"},
    ),
    Case(
        token="aws:iam/instanceProfile:InstanceProfile",
        needs={"role": _ROLE, "other": _OTHER_ROLE},
        inputs={"name": "profile", "role": Ref("role", "name"), "path": "/x/", "tags": {"a": "1"}},
        update={"role": Ref("other", "name"), "tags": {"b": "1"}},
        replace={"name": "profile-2"},
        expect={"arn": str, "uniqueId": str, "createDate": str},
    ),
    Case(
        token="aws:iam/policy:Policy",
        inputs={"name": "p", "path": "/x/", "description": "d", "policy": _READ, "tags": {"a": "1"}},
        update={"policy": _WRITE, "tags": {"a": "1", "b": "2"}},
        replace={"description": "e"},
        expect={"arn": str, "policyId": str, "attachmentCount": 0},
    ),
    Case(
        token="aws:iam/rolePolicy:RolePolicy",
        needs={"role": _ROLE},
        inputs={"role": Ref("role", "id"), "policy": _READ},
        update={"policy": _WRITE},
        replace={"name": "mine"},
        expect={"name": str, "role": "worker"},
    ),
    Case(
        token="aws:iam/userPolicy:UserPolicy",
        needs={"user": _USER},
        inputs={"user": Ref("user", "name"), "namePrefix": "own-", "policy": _READ},
        update={"policy": _WRITE},
        replace={"name": "mine"},
    ),
    Case(
        token="aws:iam/groupPolicy:GroupPolicy",
        needs={"group": _GROUP},
        inputs={"group": Ref("group", "name"), "name": "own", "policy": _READ},
        update={"policy": _WRITE},
        replace={"name": "mine"},
    ),
    Case(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        needs={"role": _ROLE, "policy": _POLICY, "other": _OTHER_POLICY},
        inputs={"role": Ref("role", "name"), "policyArn": Ref("policy", "arn")},
        replace={"policyArn": Ref("other", "arn")},
    ),
    Case(
        token="aws:iam/userPolicyAttachment:UserPolicyAttachment",
        needs={"user": _USER, "policy": _POLICY, "other": _OTHER_POLICY},
        inputs={"user": Ref("user", "name"), "policyArn": Ref("policy", "arn")},
        replace={"policyArn": Ref("other", "arn")},
    ),
    Case(
        token="aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
        needs={"group": _GROUP, "policy": _POLICY, "other": _OTHER_POLICY},
        inputs={"group": Ref("group", "name"), "policyArn": Ref("policy", "arn")},
        replace={"policyArn": Ref("other", "arn")},
    ),
    Case(
        token="aws:iam/policyAttachment:PolicyAttachment",
        needs={"role": _ROLE, "other": _OTHER_ROLE, "user": _USER, "group": _GROUP, "policy": _POLICY},
        inputs={
            "policyArn": Ref("policy", "arn"),
            "roles": [Ref("role", "name")],
            "users": [Ref("user", "name")],
            "groups": [Ref("group", "name")],
        },
        update={"roles": [Ref("other", "name")], "users": None},
        replace={"name": "another"},
        import_id="{id}/{policyArn}",
    ),
    Case(
        token="aws:iam/user:User",
        needs={"policy": _POLICY},
        inputs={"name": "ada", "permissionsBoundary": Ref("policy", "arn"), "tags": {"a": "1", "b": "1"}},
        update={"path": "/people/", "permissionsBoundary": None, "forceDestroy": True, "tags": {"a": "2"}},
        replace={"name": "grace"},
        expect={"arn": str, "uniqueId": str, "path": "/"},
    ),
    Case(
        token="aws:iam/group:Group",
        inputs={"name": "staff"},
        replace={"path": "/x/"},
        expect={"arn": str, "uniqueId": str, "path": "/"},
    ),
    Case(
        token="aws:iam/groupMembership:GroupMembership",
        needs={"group": _GROUP, "ada": _USER, "grace": _OTHER_USER},
        inputs={"name": "m", "group": Ref("group", "name"), "users": [Ref("grace", "name"), Ref("ada", "name")]},
        update={"users": [Ref("ada", "name")]},
        replace={"name": "n"},
        import_id="{id}/{group}",
    ),
    Case(
        token="aws:iam/userGroupMembership:UserGroupMembership",
        needs={"user": _USER, "staff": _GROUP, "guests": _OTHER_GROUP},
        inputs={"user": Ref("user", "name"), "groups": [Ref("staff", "name"), Ref("guests", "name")]},
        update={"groups": [Ref("guests", "name")]},
        replace={"user": "somebody"},
    ),
    Case(
        token="aws:iam/accessKey:AccessKey",
        needs={"user": _USER},
        inputs={"user": Ref("user", "name")},
        update={"status": "Inactive"},
        replace={"user": "somebody"},
        expect={"secret": str, "sesSmtpPasswordV4": str, "createDate": str},
    ),
    Case(
        token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        inputs={
            "url": "https://token.actions.example.com/x",
            "clientIdLists": ["sts.amazonaws.com", "other"],
            "thumbprintLists": ["cf23df2207d99a74fbe169e3eba035e633b65d94"],
            "tags": {"a": "1"},
        },
        update={"clientIdLists": ["other"], "thumbprintLists": ["a" * 40], "tags": {"a": "2"}},
        replace={"url": "https://token.example.com"},
        expect={"arn": str, "url": "token.actions.example.com/x"},
    ),
]
