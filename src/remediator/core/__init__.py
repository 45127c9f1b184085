"""Decisions about builds, projects and images: plain values in, plain values out."""
