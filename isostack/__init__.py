"""isostack: four environments of one shape, from one versioned parameter set."""

__version__ = "0.1.0"
