"""Policy packs: Pulumi's own, in Python, enforced by the embedded engine. Only a process that attaches one imports pulumi_policy."""
