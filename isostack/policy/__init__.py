"""Policy packs: Pulumi's own, in Python, enforced by the engine. Only what attaches one imports pulumi_policy."""
