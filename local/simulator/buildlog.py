"""What the build's agent writes to the log, and where."""

import time
from collections.abc import Sequence

from local.simulator.world import AgentLine, Document, World


class BuildLog:
    """The log of one build; silent until it is opened, and where the project turned CloudWatch Logs off."""

    def __init__(self, world: World, build: Document, settings: Document) -> None:
        cloudwatch = settings.get("cloudWatchLogs", {})
        uuid = build["id"].partition(":")[2]
        prefix = cloudwatch.get("streamName")
        self._world = world
        self._enabled = cloudwatch.get("status", "ENABLED") == "ENABLED"
        self._open = False
        self.group = cloudwatch.get("groupName") or f"/aws/codebuild/{build['projectName']}"
        self.stream = f"{prefix}/{uuid}" if prefix else uuid

    def open(self) -> Document:
        """Make the stream, as PROVISIONING does; the build's `logs`: groupName, streamName, deepLink, ARN."""
        world = self._world
        self._open = self._enabled
        if not self._open:
            return {}
        return {
            "groupName": self.group,
            "streamName": self.stream,
            "deepLink": f"{_console(world)}#logEvent:group={self.group};stream={self.stream}",
            "cloudWatchLogsArn": f"arn:{world.partition}:logs:{world.region}:{world.account}:"
            f"log-group:{self.group}:log-stream:{self.stream}",
        }

    def agent(self, *messages: str) -> None:
        """Lines of the agent itself, with its prefix and microseconds."""
        self.plain([AgentLine(message) for message in messages])

    def plain(self, lines: Sequence[str]) -> None:
        """Lines of the commands, as they are, and the agent's among them with its prefix; each line on its own."""
        if not self._open or not lines:
            return
        stamp = self._stamp()
        stamped = [f"{stamp} {line}" if isinstance(line, AgentLine) else line for line in lines]
        self._world.write_log(self.group, self.stream, [part for line in stamped for part in line.split("\n")])

    def _stamp(self) -> str:
        now = self._world.now()
        stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(now)) + f".{round(now * 1_000_000) % 1_000_000:06}"
        return f"[Container] {stamp}"

    def phase_complete(self, phase: str, status: str, code: str, message: str) -> None:
        """The agent's two lines at the end of a phase."""
        self.agent(
            f"Phase complete: {phase} State: {status}",
            f"Phase context status code: {code} Message: {message}",
        )


def no_log_yet(world: World, *, nulls: bool) -> Document:
    """A build's `logs` before PROVISIONING has made the stream; members may be null or absent."""
    link = {"deepLink": f"{_console(world)}#logEvent:group=null;stream=null"}
    return {"groupName": None, "streamName": None, **link} if nulls else link


def _console(world: World) -> str:
    return f"https://console.aws.amazon.com/cloudwatch/home?region={world.region}"
