"""The docker command of the builds in local AWS: it signs in, pulls, builds and pushes against the local registry.

Standard library only, and little of it: a build starts it many times.
"""
