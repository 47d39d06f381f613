"""Who may do what to an environment, beside what its resources say: identities, approvals, break-glass, the record of them."""
