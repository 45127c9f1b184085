"""Talks to one AWS service, or to Docker Hub, in each module; decides nothing."""
