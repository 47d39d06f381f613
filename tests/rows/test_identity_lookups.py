"""Look-ups of IAM, KMS, Secrets Manager and SSM, and what a walk through every row does not reach."""

from __future__ import annotations

import json
from typing import Any

import pytest

from isostack.engine.provider import ProviderError, Resource
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider

_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
_TRUST = json.dumps({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]})


class _Program:
    """Creates and looks up as a program does, by way of the engine's calls."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.provider = LocalCloudProvider(cloud, {})

    def create(self, type_: str, **inputs: Any) -> Resource:
        checked = self.provider.check(type_, f"urn:pulumi:test::test::{type_}::subject", None, inputs)
        assert checked.failures == ()
        return self.provider.create(type_, checked.inputs)

    def update(self, type_: str, old: Resource, **inputs: Any) -> dict[str, Any]:
        checked = self.provider.check(type_, f"urn:pulumi:test::test::{type_}::subject", old.inputs, inputs).inputs
        diff = self.provider.diff(type_, old.inputs, old.outputs, checked)
        assert diff.changed and not diff.replaces
        return self.provider.update(type_, old.id, old.inputs, old.outputs, checked, diff.changed)

    def read(self, type_: str, resource: Resource) -> Resource | None:
        return self.provider.read(type_, resource.id, resource.inputs, resource.outputs)

    def delete(self, type_: str, resource: Resource) -> None:
        self.provider.delete(type_, resource.id, resource.outputs)

    def look_up(self, token: str, **arguments: Any) -> dict[str, Any]:
        return self.provider.invoke(token, arguments)


@pytest.fixture
def program(cloud: Cloud) -> _Program:
    return _Program(cloud)


def _assert_same(found: dict[str, Any], resource: Resource, *names: str) -> None:
    assert {name: found[name] for name in names} == {name: resource.outputs[name] for name in names}


# -- IAM ---------------------------------------------------------------------------------------------------------------


def test_a_role_is_looked_up_by_name(program: _Program) -> None:
    role = program.create("aws:iam/role:Role", name="r", assumeRolePolicy=_TRUST, description="d", tags={"a": "1"})
    found = program.look_up("aws:iam/getRole:getRole", name="r")
    _assert_same(found, role, "arn", "uniqueId", "createDate", "description", "maxSessionDuration", "path", "tags")
    assert found["id"] == "r"
    assert json.loads(found["assumeRolePolicy"]) == json.loads(_TRUST)


def test_looking_up_what_is_not_there_fails_with_the_clouds_own_words(program: _Program) -> None:
    with pytest.raises(ProviderError, match="NoSuchEntity"):
        program.look_up("aws:iam/getRole:getRole", name="nobody")


@pytest.mark.parametrize("by", ["arn", "name"])
def test_a_policy_is_looked_up_by_arn_or_name(program: _Program, by: str) -> None:
    policy = program.create("aws:iam/policy:Policy", name="p", policy=_POLICY, tags={"a": "1"})
    found = program.look_up("aws:iam/getPolicy:getPolicy", **{by: policy.outputs[by]})
    _assert_same(found, policy, "arn", "policyId", "path", "tags")
    assert json.loads(found["policy"]) == json.loads(_POLICY)


def test_users_and_groups_are_looked_up_by_name(program: _Program) -> None:
    user = program.create("aws:iam/user:User", name="ada", tags={"a": "1"})
    group = program.create("aws:iam/group:Group", name="staff")
    program.create("aws:iam/userGroupMembership:UserGroupMembership", user="ada", groups=["staff"])
    _assert_same(program.look_up("aws:iam/getUser:getUser", userName="ada"), user, "arn", "path", "tags")
    found = program.look_up("aws:iam/getGroup:getGroup", groupName="staff")
    _assert_same(found, group, "arn", "path")
    assert [member["arn"] for member in found["users"]] == [user.outputs["arn"]]


def test_an_instance_profile_is_looked_up_with_its_role(program: _Program) -> None:
    role = program.create("aws:iam/role:Role", name="r", assumeRolePolicy=_TRUST)
    profile = program.create("aws:iam/instanceProfile:InstanceProfile", name="p", role="r")
    found = program.look_up("aws:iam/getInstanceProfile:getInstanceProfile", name="p")
    _assert_same(found, profile, "arn", "createDate", "path")
    assert (found["roleArn"], found["roleName"]) == (role.outputs["arn"], "r")


@pytest.mark.parametrize("by", ["arn", "url"])
def test_an_identity_provider_is_looked_up_by_arn_or_address(program: _Program, by: str) -> None:
    type_ = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    provider = program.create(type_, url="https://tokens.example.com", clientIdLists=["app"], tags={"a": "1"})
    asked = {"arn": provider.outputs["arn"], "url": "https://tokens.example.com"}[by]
    found = program.look_up("aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider", **{by: asked})
    _assert_same(found, provider, "arn", "clientIdLists", "thumbprintLists", "url", "tags")


def test_a_policy_that_changes_often_keeps_five_versions(program: _Program) -> None:
    type_ = "aws:iam/policy:Policy"
    policy = program.create(type_, name="p", policy=_POLICY)
    for number in range(6):
        text = _POLICY.replace("s3:*", f"s3:Get{number}")
        outputs = program.update(type_, policy, name="p", policy=text)
        policy = Resource(policy.id, {**policy.inputs, "policy": text}, outputs)
    versions = program.cloud.client("iam").list_policy_versions(PolicyArn=policy.id)["Versions"]
    assert sorted(version["VersionId"] for version in versions) == ["v3", "v4", "v5", "v6", "v7"]
    assert program.read(type_, policy) == policy
    program.delete(type_, policy)
    assert program.read(type_, policy) is None


def test_a_policy_that_is_attached_is_not_deleted(program: _Program) -> None:
    policy = program.create("aws:iam/policy:Policy", name="p", policy=_POLICY)
    program.create("aws:iam/user:User", name="ada")
    program.create("aws:iam/userPolicyAttachment:UserPolicyAttachment", user="ada", policyArn=policy.id)
    with pytest.raises(ProviderError, match=r"DeleteConflict.*ada"):
        program.delete("aws:iam/policy:Policy", policy)


@pytest.mark.parametrize("force", [True, False])
def test_a_role_with_policies_that_are_not_its_own_goes_by_force_only(program: _Program, force: bool) -> None:
    type_ = "aws:iam/role:Role"
    role = program.create(type_, name="r", assumeRolePolicy=_TRUST, forceDetachPolicies=force)
    program.create("aws:iam/rolePolicy:RolePolicy", role="r", name="p", policy=_POLICY)
    if force:
        program.delete(type_, role)
        assert program.read(type_, role) is None
    else:
        with pytest.raises(ProviderError, match=r"DeleteConflict"):
            program.delete(type_, role)


def test_a_role_whose_policy_cannot_be_attached_is_not_left_behind(program: _Program) -> None:
    type_ = "aws:iam/role:Role"
    inline = [{"name": "p", "policy": _POLICY}]
    missing = ["arn:aws:iam::111111111111:policy/missing"]
    with pytest.raises(ProviderError, match="NoSuchEntity"):
        program.create(type_, name="r", assumeRolePolicy=_TRUST, inlinePolicies=inline, managedPolicyArns=missing)
    assert program.provider.find(type_, {"name": "r"}).ids == ()


@pytest.mark.parametrize(
    ("given", "changed", "first"),
    [
        ({"name": "r"}, {"path": "/x/"}, True),
        ({"name": "r"}, {"path": "/x/", "name": "s"}, False),
        ({}, {"path": "/x/"}, False),
    ],
)
def test_a_role_goes_before_the_one_that_takes_its_name(
    program: _Program, given: dict[str, Any], changed: dict[str, Any], first: bool
) -> None:
    type_ = "aws:iam/role:Role"
    role = program.create(type_, assumeRolePolicy=_TRUST, **given)
    diff = program.provider.diff(type_, role.inputs, role.outputs, {**role.inputs, **changed})
    assert "path" in diff.replaces
    assert diff.delete_before_replace is first


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"Statement": [{}]}', '{"Statement": [{"Effect": "Allow", "Resource": "*"}]}']
)
def test_a_malformed_trust_policy_is_refused(program: _Program, text: str) -> None:
    with pytest.raises(ProviderError, match=r"MalformedPolicyDocument.*assumeRolePolicy"):
        program.create("aws:iam/role:Role", assumeRolePolicy=text)


def test_an_inline_policy_changed_behind_our_back_shows_as_drift(program: _Program) -> None:
    type_ = "aws:iam/role:Role"
    role = program.create(type_, name="r", assumeRolePolicy=_TRUST, inlinePolicies=[{"name": "p", "policy": _POLICY}])
    changed = _POLICY.replace("s3:*", "ec2:*")
    program.cloud.client("iam").put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=changed)
    read = program.read(type_, role)
    assert read is not None
    assert json.loads(read.inputs["inlinePolicies"][0]["policy"]) == json.loads(changed)
    assert program.provider.diff(type_, read.inputs, read.outputs, role.inputs).changed == ("inlinePolicies",)


@pytest.mark.parametrize("force", [True, False])
def test_a_user_with_keys_of_unknown_origin_goes_by_force_only(program: _Program, force: bool) -> None:
    type_ = "aws:iam/user:User"
    user = program.create(type_, name="ada", forceDestroy=force)
    program.cloud.client("iam").create_access_key(UserName="ada")
    if force:
        program.delete(type_, user)
        assert program.read(type_, user) is None
    else:
        with pytest.raises(ProviderError, match=r"DeleteConflict.*forceDestroy"):
            program.delete(type_, user)


def test_an_identity_provider_keeps_its_address_with_or_without_scheme(program: _Program) -> None:
    type_ = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    made = program.create(type_, url="https://tokens.example.com", clientIdLists=["app"])
    imported = program.provider.read(type_, made.id, None, {})
    assert imported is not None
    assert not program.provider.diff(type_, imported.inputs, imported.outputs, made.inputs)


# -- KMS ---------------------------------------------------------------------------------------------------------------


def test_a_key_is_looked_up_by_its_id_and_by_its_alias(program: _Program) -> None:
    key = program.create("aws:kms/key:Key", description="d", multiRegion=True)
    alias = program.create("aws:kms/alias:Alias", name="alias/app", targetKeyId=key.id)
    for asked in (key.id, key.outputs["arn"], "alias/app"):
        found = program.look_up("aws:kms/getKey:getKey", keyId=asked)
        _assert_same(found, key, "arn", "description", "multiRegion", "keyUsage")
        assert found["multiRegionConfigurations"][0]["primaryKeys"][0]["arn"] == key.outputs["arn"]
    found = program.look_up("aws:kms/getAlias:getAlias", name="alias/app")
    _assert_same(found, alias, "arn", "targetKeyArn", "targetKeyId")


def test_the_alias_of_an_aws_service_has_a_key(program: _Program) -> None:
    alias = program.look_up("aws:kms/getAlias:getAlias", name="alias/aws/s3")
    assert program.look_up("aws:kms/getKey:getKey", keyId=alias["targetKeyArn"])["keyState"] == "Enabled"


def test_a_key_that_waits_for_its_deletion_is_gone(program: _Program) -> None:
    key = program.create("aws:kms/key:Key", deletionWindowInDays=7)
    program.delete("aws:kms/key:Key", key)
    assert program.cloud.client("kms").describe_key(KeyId=key.id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert program.read("aws:kms/key:Key", key) is None


def test_a_key_whose_policy_denies_somebody_everything_can_be_updated(program: _Program) -> None:
    statement = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*", "Condition": {}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key = program.create("aws:kms/key:Key", policy=policy, description="d")
    outputs = program.update("aws:kms/key:Key", key, policy=policy, description="e", isEnabled=False)
    assert (outputs["description"], outputs["isEnabled"]) == ("e", False)


# -- Secrets Manager ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["arn", "name"])
def test_a_secret_is_looked_up_by_arn_or_name(program: _Program, by: str) -> None:
    secret = program.create("aws:secretsmanager/secret:Secret", name="s", description="d", tags={"a": "1"})
    found = program.look_up("aws:secretsmanager/getSecret:getSecret", **{by: secret.outputs[by]})
    _assert_same(found, secret, "arn", "name", "description", "tags")


def test_the_newest_value_of_a_secret_is_current_and_the_one_before_still_there(program: _Program) -> None:
    type_ = "aws:secretsmanager/secretVersion:SecretVersion"
    secret = program.create("aws:secretsmanager/secret:Secret", name="s")
    first = program.create(type_, secretId=secret.id, secretString="one")
    second = program.create(type_, secretId=secret.id, secretString="two")
    program.delete(type_, first)
    token = "aws:secretsmanager/getSecretVersion:getSecretVersion"
    current = program.look_up(token, secretId=secret.id)
    assert (current["secretString"], current["versionId"]) == ("two", second.outputs["versionId"])
    assert program.look_up(token, secretId=secret.id, versionId=first.outputs["versionId"])["secretString"] == "one"
    assert program.provider.find(type_, second.inputs).ids == (second.id,)


def test_the_current_label_can_be_taken_by_an_older_value(program: _Program) -> None:
    type_ = "aws:secretsmanager/secretVersion:SecretVersion"
    secret = program.create("aws:secretsmanager/secret:Secret", name="s")
    program.create(type_, secretId=secret.id, secretString="one")
    blue = program.create(type_, secretId=secret.id, secretString="two", versionStages=["blue"])
    token = "aws:secretsmanager/getSecretVersion:getSecretVersion"
    assert program.look_up(token, secretId=secret.id)["secretString"] == "one"
    program.update(type_, blue, secretId=secret.id, secretString="two", versionStages=["AWSCURRENT", "blue"])
    assert program.look_up(token, secretId=secret.id)["secretString"] == "two"


def test_a_write_only_secret_is_stored_and_stays_out_of_the_readable_outputs(program: _Program) -> None:
    type_ = "aws:secretsmanager/secretVersion:SecretVersion"
    secret = program.create("aws:secretsmanager/secret:Secret", name="s")
    version = program.create(type_, secretId=secret.id, secretStringWo="hush", secretStringWoVersion=1)
    assert version.outputs["hasSecretStringWo"] is True
    assert "secretString" not in version.outputs
    found = program.look_up("aws:secretsmanager/getSecretVersion:getSecretVersion", secretId=secret.id)
    assert found["secretString"] == "hush"
    changed = {**version.inputs, "secretStringWo": "louder"}
    assert not program.provider.diff(type_, version.inputs, version.outputs, changed)
    assert program.provider.diff(type_, version.inputs, version.outputs, changed | {"secretStringWoVersion": 2}).replaces


def test_a_secret_that_waits_for_its_deletion_is_gone(program: _Program) -> None:
    secret = program.create("aws:secretsmanager/secret:Secret", name="s")
    version = program.create("aws:secretsmanager/secretVersion:SecretVersion", secretId=secret.id, secretString="x")
    program.delete("aws:secretsmanager/secret:Secret", secret)
    program.delete("aws:secretsmanager/secret:Secret", secret)
    assert program.read("aws:secretsmanager/secret:Secret", secret) is None
    assert program.read("aws:secretsmanager/secretVersion:SecretVersion", version) is None
    assert "DeletedDate" in program.cloud.client("secretsmanager").describe_secret(SecretId=secret.id)


def test_a_random_password_follows_its_rules(program: _Program) -> None:
    token = "aws:secretsmanager/getRandomPassword:getRandomPassword"
    password = program.look_up(token, passwordLength=40, excludePunctuation=True)["randomPassword"]
    assert len(password) == 40 and password.isalnum()


# -- SSM ---------------------------------------------------------------------------------------------------------------


def test_parameters_are_looked_up_by_name_and_by_path(program: _Program) -> None:
    plain = program.create("aws:ssm/parameter:Parameter", name="/app/a", type="String", value="1")
    hidden = program.create("aws:ssm/parameter:Parameter", name="/app/deep/b", type="SecureString", value="2")
    found = program.look_up("aws:ssm/getParameter:getParameter", name="/app/a")
    _assert_same(found, plain, "arn", "name", "type", "value", "version")
    assert found["insecureValue"] == "1"
    found = program.look_up("aws:ssm/getParameter:getParameter", name="/app/deep/b")
    assert (found["value"], found["insecureValue"]) == ("2", "")
    token = "aws:ssm/getParametersByPath:getParametersByPath"
    assert program.look_up(token, path="/app")["names"] == ["/app/a"]
    deep = program.look_up(token, path="/app", recursive=True)
    assert sorted(deep["arns"]) == sorted([plain.outputs["arn"], hidden.outputs["arn"]])


def test_a_parameter_is_not_overwritten_unless_the_program_says_so(program: _Program) -> None:
    type_ = "aws:ssm/parameter:Parameter"
    program.create(type_, name="p", type="String", value="1")
    with pytest.raises(ProviderError, match="ParameterAlreadyExists"):
        program.create(type_, name="p", type="String", value="2")
    assert program.create(type_, name="p", type="String", value="2", overwrite=True).outputs["version"] == 2


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"type": "String"}, "exactly one"),
        ({"type": "String", "value": "a", "insecureValue": "a"}, "exactly one"),
        ({"type": "SecureString", "insecureValue": "a"}, "insecureValue"),
        ({"type": "String", "value": "a", "allowedPattern": "^[0-9]+$"}, "ParameterPatternMismatch"),
    ],
)
def test_a_parameter_that_aws_would_refuse_is_refused(program: _Program, inputs: Any, said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        program.create("aws:ssm/parameter:Parameter", name="p", **inputs)


def test_an_advanced_parameter_is_replaced_to_become_a_standard_one(program: _Program) -> None:
    type_ = "aws:ssm/parameter:Parameter"
    made = program.create(type_, name="p", type="String", value="1", tier="Advanced")
    diff = program.provider.diff(type_, made.inputs, made.outputs, {**made.inputs, "tier": "Standard"})
    assert diff.replaces == ("tier",) and diff.delete_before_replace
    assert not program.provider.diff(type_, made.inputs, made.outputs, {**made.inputs, "tier": "Intelligent-Tiering"})


# -- random values -----------------------------------------------------------------------------------------------------


def _random(name: str, **inputs: Any) -> dict[str, Any]:
    made = _Program(Cloud("http://127.0.0.1:9")).create(f"random:index/random{name}:Random{name}", **inputs)
    return {"id": made.id, **made.outputs}


def test_a_password_holds_the_characters_that_were_asked_for() -> None:
    made = _random("Password", length=12, lower=False, minUpper=3, minNumeric=4, minSpecial=5, overrideSpecial="_")
    result = made["result"]
    assert made["id"] == "none"
    counts = [sum(map(test, result)) for test in (str.isupper, str.isdigit, "_".__eq__)]
    assert counts == [3, 4, 5]


def test_two_passwords_differ() -> None:
    assert _random("Password", length=32)["result"] != _random("Password", length=32)["result"]


def test_a_bcrypt_hash_is_one_of_the_password() -> None:
    made = _random("Password", length=8)
    if "bcryptHash" not in made:
        pytest.skip("this machine has neither the bcrypt package nor a C library that knows bcrypt")
    assert made["bcryptHash"].startswith("$2") and len(made["bcryptHash"]) == 60


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("Password", {"length": 3, "minUpper": 2, "minLower": 2}),
        ("Password", {"length": 0}),
        ("String", {"length": 3, "upper": False, "lower": False, "numeric": False, "special": False}),
        ("Id", {"byteLength": 0}),
        ("Integer", {"min": 2, "max": 1}),
    ],
)
def test_an_impossible_random_value_is_refused(name: str, inputs: Any) -> None:
    with pytest.raises(ProviderError):
        _random(name, **inputs)


def test_an_identifier_shows_the_same_bytes_in_four_ways() -> None:
    made = _random("Id", byteLength=6, prefix="app-")
    number = int(made["hex"].removeprefix("app-"), 16)
    assert made["dec"] == f"app-{number}"
    assert made["b64Url"] == f"app-{made['id']}"
    assert len(made["b64Std"]) == len("app-") + 8


def test_a_pet_name_has_its_words_and_is_its_own_id() -> None:
    assert len(_random("Pet", length=4, prefix="dev", separator="_")["id"].split("_")) == 5


def test_a_seed_repeats_a_value() -> None:
    items = [str(number) for number in range(50)]
    assert _random("Shuffle", inputs=items, seed="s")["results"] == _random("Shuffle", inputs=items, seed="s")["results"]
    assert _random("Integer", min=0, max=10**9, seed="s")["result"] == _random("Integer", min=0, max=10**9, seed="s")["result"]


def test_a_shuffle_gives_fewer_or_repeats_as_asked() -> None:
    assert sorted(_random("Shuffle", inputs=["a", "b"])["results"]) == ["a", "b"]
    repeated = _random("Shuffle", inputs=["a", "b"], resultCount=5)["results"]
    assert len(repeated) == 5 and sorted(repeated[:2]) == ["a", "b"]
