"""The policy pack: an ordinary Pulumi one, which knows nothing of the code that it judges."""
