"""Decides what IAM policy documents allow."""
