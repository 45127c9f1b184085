"""Reads a buildspec and adds one docker login to its text."""
