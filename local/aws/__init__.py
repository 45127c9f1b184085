"""Local AWS: MiniStack in a process of its own, on loopback, with what it lacks.

`python -m local.aws` is the server (it needs MiniStack), `local.aws.launch` starts and stops it
(standard library only). Each difference between MiniStack and AWS is closed in a module of its own,
whose docstring says what AWS does and what MiniStack does; `server` is the one place that puts them in.
"""
