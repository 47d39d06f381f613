"""What an environment costs a month: an estimate from prices that ship with isostack, and budgets that hold a run to it."""
