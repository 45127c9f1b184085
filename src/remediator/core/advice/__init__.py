"""Writes what a person has to do, with the lines to paste."""
