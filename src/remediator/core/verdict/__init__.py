"""Decides what a retried build says about the repair."""
