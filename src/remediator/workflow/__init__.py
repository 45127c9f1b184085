"""Tells the durable story of one remediation: which step comes next, and how long it waits."""
