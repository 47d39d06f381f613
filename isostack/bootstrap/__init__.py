"""What accounts need before the first run: the state's bucket and key, the pipeline's roles, each environment's entry role."""
