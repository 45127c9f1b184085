"""Decides how a failed build is run again."""
