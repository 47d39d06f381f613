"""How long the engines take over the same programs, how much memory, and how much of it is Python's start."""
