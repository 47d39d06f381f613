"""What the Pulumi CLI says, in this project's words; no CLI is needed for it."""
