"""Throwaway dev stacks: a private environment that comes up, breaks and comes back with one command."""
