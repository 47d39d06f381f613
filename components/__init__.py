"""Component classes: what an environment is made of. Ordinary Pulumi; usable alone in anybody's program."""
