"""Decides what changes so that a project signs in to Docker Hub."""
