"""The local cloud: a simulated AWS on a loopback address, and the provider that talks to it."""
