"""The commands of `./remediator`, run with the caller's own credentials; every error is a sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from remediator.aws.client import code_of, message_of
from remediator.services import Services
from undo.overview import overview
from undo.stack import Refused, Stack
from undo.undo import DOING, DONE, Undo

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def main(arguments: Sequence[str], services: Services | None = None, say: Callable[[str], object] = print) -> int:
    """Run one command; returns the exit status: 0, 1 when it could not do all that was asked, 2 for wrong arguments."""
    given = _parser().parse_args(arguments)
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    try:
        _run(given, services or Services(), tell)
    except Refused as refused:
        problem = f"{refused}."
    except ClientError as error:
        problem = f"{_of_aws(error)}.\n{_state(said)}"
    except BotoCoreError as error:
        problem = f"{_of_botocore(error)}.\n{_state(said)}"
    except KeyboardInterrupt:
        problem = f"interrupted.\n{_state(said)}"
    else:
        return 0
    print(f"remediator: {problem}", file=sys.stderr)
    return 1


def _run(given: argparse.Namespace, services: Services, say: Callable[[str], object]) -> None:
    stack = Stack.read(services.client("cloudformation"), given.stack)
    if given.command == "projects":
        for line in overview(stack, services):
            say(line)
        return
    undo = Undo(stack, services, given.project, say, given.wait * 60)
    if given.yes:
        undo.make()
    else:
        undo.show()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./remediator",
        description="Lists and undoes repairs, in the AWS account and region of your own credentials.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    projects = commands.add_parser("projects", help="the projects that name the stack's secret, and their roles")
    undo = commands.add_parser(
        "undo",
        help="take a repair out of a project; without --yes it only shows what it would do",
        description="Puts the tag DockerHubRemediation=off on the project and takes out what a repair has made. Then "
        "it takes the role's grant back, unless another project with that role names the secret.",
    )
    undo.add_argument("project", metavar="PROJECT")
    undo.add_argument("--yes", action="store_true", help="do it; without this nothing is changed")
    undo.add_argument(
        "--wait",
        type=int,
        default=60,
        metavar="MINUTES",
        help="how long to wait for builds that still run with the secret, before the grant is taken back (60)",
    )
    for command in (projects, undo):
        command.add_argument("--stack", required=True, metavar="NAME", help="the name of the deployed stack")
    return parser


def _of_aws(error: ClientError) -> str:
    if code_of(error) in _DENIED:
        return f"your credentials may not do {error.operation_name}: {message_of(error)}".rstrip(".")
    return f"AWS refused {error.operation_name} ({code_of(error)}): {message_of(error)}".rstrip(".")


def _of_botocore(error: BotoCoreError) -> str:
    match error:
        case NoRegionError():
            return "no region is known. Set AWS_REGION, or a region in your AWS profile"
        case NoCredentialsError() | PartialCredentialsError():
            return "no AWS credentials were found. Set AWS_PROFILE, or sign in (aws sso login)"
        case ProfileNotFound():
            return f"{error}. Check AWS_PROFILE"
    return str(error).rstrip(".")


def _state(said: Sequence[str]) -> str:
    """What is known of the changes when a call broke off."""
    if not any(line.startswith((DOING, DONE)) for line in said):
        return "Nothing was changed."
    return f"What is listed above under {DONE.strip()} is done. The same command without --yes shows what is left."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
