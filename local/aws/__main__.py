"""The command line of local AWS: what can be set from outside."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from local.aws.settings import Settings


def settings(arguments: list[str]) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m local.aws", description=__doc__)
    parser.add_argument("--port-file", required=True, type=Path, help="where to write endpoint and paths as JSON")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--seed", type=int, help="seed of everything that is drawn; drawn and printed when absent")
    parser.add_argument("--account", help="account number, 12 digits; drawn from the seed when absent")
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--folder", type=Path, help="where the logs go; beside the port file when absent")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the Lambda functions, 3.11 or later")
    parser.add_argument("--grant-delay", nargs=2, type=float, default=(2.0, 8.0), metavar=("LEAST", "MOST"))
    parser.add_argument("--build-seconds", type=float, default=2.5, help="about how long a build takes")
    parser.add_argument(
        "--unreadable-credential",
        choices=("PROVISIONING", "DOWNLOAD_SOURCE"),
        default="DOWNLOAD_SOURCE",
        help="the phase in which a build fails whose role may not read its registry credential",
    )
    parser.add_argument("--parent-pipe", action="store_true", help="stop when standard input ends")
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    account = given.account or f"{random.Random(f'account {seed}').randrange(10**11, 10**12):012d}"
    folder = given.folder or given.port_file.resolve().parent
    return Settings(
        port_file=given.port_file.resolve(),
        port=given.port,
        seed=seed,
        account=account,
        region=given.region,
        folder=folder.resolve(),
        python=given.python,
        grant_delay=(given.grant_delay[0], given.grant_delay[1]),
        build_seconds=given.build_seconds,
        unreadable_credential=given.unreadable_credential,
        parent_pipe=given.parent_pipe,
    )


if __name__ == "__main__":
    chosen = settings(sys.argv[1:])
    from local.aws import server  # MiniStack is imported after its environment has been set

    sys.exit(server.main(chosen))
