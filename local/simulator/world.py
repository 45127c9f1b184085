"""What the simulator needs from the world around it: a clock, secrets, registries, an event bus and logs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

Document = dict[str, Any]
"""A JSON object as it is on the wire: camelCase, timestamps in epoch seconds."""


@dataclass(frozen=True)
class Credentials:
    """A registry's user name and password."""

    username: str
    password: str


@dataclass(frozen=True)
class PullAnswer:
    """How a registry answered a pull.

    `status` is the HTTP status that decided it (200 when the image came), `text` the registry's own message.
    """

    status: int
    text: str = ""


class AgentLine(str):
    """A line of the build's agent: the log puts `[Container]` and the time before it."""

    __slots__ = ()


@dataclass(frozen=True)
class SourceAnswer:
    """What DOWNLOAD_SOURCE found in the buildspec: failed when there is a status code; `lines` go to the log.

    `variables` are its own, `secrets` its references into Secrets Manager; the project's go before both.
    """

    status_code: str = ""
    message: str = ""
    lines: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CommandsAnswer:
    """How the commands of one phase ended: failed when there is a status code; `lines` go to the log."""

    status_code: str = ""
    message: str = ""
    lines: Sequence[str] = ()


class SecretUnreadable(Exception):
    """Secrets Manager said no; the text is AWS's own, `AccessDeniedException: User: …`."""


class Run(Protocol):
    """A build on its way: call it to run it to its end, or advance it by one phase at a time."""

    def __call__(self) -> None: ...

    def advance(self) -> bool:
        """Run the next phase; False when the build has ended."""
        ...

    @property
    def build_id(self) -> str: ...


class RunCommands(Protocol):
    """Runs the commands of one phase (INSTALL, PRE_BUILD, BUILD, POST_BUILD) with resolved variables."""

    def __call__(self, build: Document, phase: str, variables: Mapping[str, str], /) -> CommandsAnswer: ...


@runtime_checkable
class BuildAgent(RunCommands, Protocol):
    """Runs commands, and is told when a build gets its source and when it is over."""

    def download_source(self, build: Document) -> SourceAnswer:
        """Get the source and read the buildspec; asked once for each build, before any command."""
        ...

    def end(self, build_id: str) -> None:
        """The build has ended, or was stopped in the middle of a command."""
        ...


def commands_succeed(_build: Document, _phase: str, _variables: Mapping[str, str]) -> CommandsAnswer:
    """Every command succeeds: what a simulator does that is not told otherwise."""
    return CommandsAnswer()


class World(Protocol):
    """The surroundings of one simulated account and region. Methods are called from several threads."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def partition(self) -> str: ...

    def now(self) -> float:
        """The time in epoch seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...

    def read_secret(self, role_arn: str, secret_id: str) -> str:
        """The secret's text, read with that role; SecretUnreadable when AWS would refuse.

        `secret_id` is a name, an ARN or an ARN without its random suffix.
        """
        ...

    def pull(self, image: str, credentials: Credentials | None) -> PullAnswer:
        """Pull an image that is not a curated one; signed in when there are credentials."""
        ...

    def publish(self, event: Document) -> None:
        """Put an event on the account's default bus."""
        ...

    def write_log(self, group: str, stream: str, lines: Sequence[str]) -> None:
        """Append lines to a log stream, which is made when it is not there."""
        ...

    def start(self, run: Run) -> None:
        """Have the build run; return before it has ended."""
        ...
