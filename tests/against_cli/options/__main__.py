"""Each resource option in use, in three stages: ``stage`` says which."""

import pulumi
import pulumi_aws as aws
import pulumi_random as random

stage = pulumi.Config().require_int("stage")
options = pulumi.ResourceOptions
identity = aws.get_caller_identity_output()


class Box(pulumi.ComponentResource):
    """A queue and its dead letters."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("options:index:Box", name, None, opts)
        self.dead = aws.sqs.Queue(f"{name}-dead", opts=options(parent=self))
        redrive = pulumi.Output.json_dumps({"deadLetterTargetArn": self.dead.arn, "maxReceiveCount": stage})
        self.queue = aws.sqs.Queue(f"{name}-queue", redrive_policy=redrive, opts=options(parent=self))
        self.register_outputs({"url": self.queue.url})


def tagged(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """Every topic gets a tag."""
    if args.type_ != "aws:sns/topic:Topic":
        return None
    return pulumi.ResourceTransformResult(
        {**args.props, "tags": {**(args.props.get("tags") or {}), "by": "transform"}}, args.opts
    )


pulumi.runtime.register_resource_transform(tagged)
team = aws.Provider("team", region="eu-central-1", default_tags={"tags": {"team": f"team-{min(stage, 2)}"}})

# A component under another name, with all that is in it.
names = {1: "box", 2: "crate", 3: "crate"}
box = Box(names[stage], options(aliases=[pulumi.Alias(name="box")]))

# Default tags, tags of its own, and a tag that others set.
far = aws.sns.Topic("far", tags={"own": str(stage)}, opts=options(provider=team, ignore_changes=["tags.own"]))
aws.ssm.Parameter("pinned", type="String", value=f"value-{stage}", opts=options(ignore_changes=["value"]))

# Replaced: created first, deleted first, on changes of a path, with another.
table = aws.dynamodb.Table(
    "table",
    billing_mode="PAY_PER_REQUEST",
    hash_key="id" if stage == 1 else "key",
    attributes=[{"name": "id" if stage == 1 else "key", "type": "S"}],
)
named = aws.sqs.Queue("named", name=f"given-{min(stage, 2)}", opts=options(delete_before_replace=True))
aws.ssm.Parameter("follows", type="String", value=named.arn)
aws.sns.Topic("by-path", display_name="x", tags={"path": str(stage)}, opts=options(replace_on_changes=["tags.path"]))
aws.sns.Topic("with-table", opts=options(replace_with=[table]))

# Secrets: made, passed on, said to be secret.
password = random.RandomPassword("password", length=20, special=False, keepers={"stage": str(max(stage, 2))})
secret = aws.secretsmanager.Secret("secret", recovery_window_in_days=0)
aws.secretsmanager.SecretVersion("secret", secret_id=secret.id, secret_string=password.result, opts=options(deleted_with=secret))
aws.ssm.Parameter("sealed", type="SecureString", value=pulumi.Output.secret("hunter2"), tags={"is": pulumi.Output.secret("tag")})
shown = aws.ssm.Parameter("shown", type="String", value="x", opts=options(additional_secret_outputs=["arn"]))

# Protected until the last stage; kept when it goes.
kept = aws.s3.Bucket("kept", force_destroy=True, opts=options(protect=stage < 3, retain_on_delete=True))
note = aws.s3.BucketObject("note", bucket=kept, key="note", content=f"stage {stage}", opts=options(depends_on=[box]))

# Only read, and gone in the last stage.
if stage < 3:
    seen = aws.sqs.Queue.get("seen", box.queue.id)
    pulumi.export("seen", seen.arn)
    aws.sqs.Queue("leaves", opts=options(depends_on=[note], custom_timeouts=pulumi.CustomTimeouts(create="1m30s")))

pulumi.export("account", identity.account_id)
pulumi.export("password", password.result)
pulumi.export("shown", shown.arn)
pulumi.export("nested", {"far": far.tags_all, "list": [box.queue.url, {"note": note.etag}]})
