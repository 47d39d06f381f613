"""The one program of all environments, and the parameter sets that it builds them from."""
