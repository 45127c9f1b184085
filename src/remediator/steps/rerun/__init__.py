"""Runs failed builds again, each in the way that its initiator needs."""
