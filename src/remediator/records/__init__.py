"""Keeps the stack's own records: journal, leases, what is known of the secret, the stop switch, reports."""
