"""Decides whether Docker Hub's pull limit failed a build."""
