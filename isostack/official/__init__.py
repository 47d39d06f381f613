"""The other engine: the official Pulumi CLI, driven so that it says and refuses the same as the embedded one."""
