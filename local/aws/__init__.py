"""Local AWS: MiniStack in a process of its own, on loopback, with what it lacks.

`python -m local.aws` is the server (it needs MiniStack), `local.aws.launch` starts and stops it
(standard library only). README.md says where MiniStack differs from AWS and which module closes which gap;
`server` is the one place that puts them in.
"""
