"""What a change would do, in all environments at once, without a cloud: collected, and shown in several forms."""
