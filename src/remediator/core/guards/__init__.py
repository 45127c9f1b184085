"""Decides whether a project may be repaired."""
