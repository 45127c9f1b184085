"""Decides: plain values in, plain values out; no AWS, no clock, no logger."""
