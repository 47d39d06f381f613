"""Tags for whatever can carry them, by a transformation of the whole stack."""

import pulumi

UNTAGGED = {
    "aws:ec2/route:Route",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
}


def tag_everything(tags: dict[str, str]) -> None:
    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("aws:") or args.type_ in UNTAGGED or "tags" not in args.props:
            return None
        args.props["tags"] = {**(args.props["tags"] or {}), **tags}
        return pulumi.ResourceTransformationResult(args.props, args.opts)

    pulumi.runtime.register_stack_transformation(add)
