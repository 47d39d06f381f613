"""State that several machines share, in a bucket of S3: one run at a time, late writers refused, nothing lost."""
