"""A local AWS for demonstrations and tests: what stands in for AWS on a developer's machine."""
