"""`python -m local.docker ARGS`: what the `docker` on a build's PATH runs."""

import sys

from local.docker.cli import main

sys.exit(main(sys.argv[1:]))
