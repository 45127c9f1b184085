"""A world inside the test's own process: its clock is the test's, its builds go on when they are watched."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from local import image_name
from local.simulator import texts
from local.simulator.codebuild import CodeBuild
from local.simulator.codepipeline import CodePipeline
from local.simulator.errors import ServiceError
from local.simulator.world import Credentials, Document, PullAnswer, Run, SecretUnreadable

_SUFFIX = "-AbCdEf"
Pull = Callable[[str, Credentials | None], PullAnswer]
MayRead = Callable[[str, str], bool]
MayDecrypt = Callable[[str, str], bool]


class FakeWorld:
    """Secrets, grants, a throttled Docker Hub, an event bus and logs, all in memory; a World.

    `logs` has the lines of each (group, stream), `log_events` the same with their time in milliseconds.

    Secrets: `add_secret(name, text)`; who may read them is asked of `may_read(role_arn, secret_arn)`, by
    default the pairs that `grant` added. A new grant is late when told so: the first `late_reads` reads that it
    would allow are denied, and all within `late_seconds` (of this clock) of the first such read.
    `may_decrypt(role_arn, secret_arn)` says whether a role may use the secret's KMS key, by default every role.

    Clock: starts at `time` (epoch seconds), moves by `tick` whenever it is read, and by what is slept.

    Registry: by default Docker Hub throttles the anonymous and everyone in `exhausted`, and lets in who is in
    `accounts`, and everybody to images of `verified/`; other registries throttle when `others_throttled`. A `pull` of
    your own replaces all that.

    Builds go on `when="watched"`: the first `looks` BatchGetBuilds that name a build (or BatchGetBuildBatches
    its batch, or GetPipelineState its pipeline) find it IN_PROGRESS, the next one its result; `when="at-once"`:
    they have ended when StartBuild returns, though its answer still says IN_PROGRESS; `when="told"`: only by
    `step` and `finish`, which work always.
    """

    account = "123456789012"
    region = "eu-west-1"
    partition = "aws"

    def __init__(
        self,
        *,
        when: Literal["watched", "at-once", "told"] = "watched",
        looks: int = 1,
        may_read: MayRead | None = None,
        may_decrypt: MayDecrypt | None = None,
        pull: Pull | None = None,
        late_reads: int = 0,
        late_seconds: float = 0.0,
        time: float = 1_795_166_048.0,
        tick: float = 0.001,
    ) -> None:
        self.events: list[Document] = []
        self.subscribers: list[Callable[[Document], None]] = []
        self.logs: dict[tuple[str, str], list[str]] = {}
        self.log_events: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.secrets: dict[str, str] = {}
        self.grants: set[tuple[str, str]] = set()
        self.reads: list[tuple[str, str, bool]] = []
        self.pulls: list[tuple[str, Credentials | None, int]] = []
        self.accounts: dict[str, str] = {}
        self.exhausted: set[str] = set()
        self.others_throttled = False
        self.when = when
        self.looks = looks
        self.late_reads = late_reads
        self.late_seconds = late_seconds
        self._may_read = may_read or (lambda role, secret: (role, secret) in self.grants)
        self._may_decrypt = may_decrypt or (lambda _role, _secret: True)
        self._pull = pull or self._docker_hub
        self._time = time
        self._tick = tick
        self._pending: dict[str, Run] = {}
        self._looked: Counter[str] = Counter()
        self._allowed: dict[tuple[str, str], tuple[float, int]] = {}
        self._rng = random.Random(7)
        self._lock = threading.RLock()

    def now(self) -> float:
        with self._lock:
            self._time = round(self._time + self._tick, 3)
            return self._time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._time = round(self._time + seconds, 3)

    def publish(self, event: Document) -> None:
        self.events.append(event)
        for subscriber in list(self.subscribers):
            subscriber(event)

    def write_log(self, group: str, stream: str, lines: Sequence[str]) -> None:
        with self._lock:
            self.logs.setdefault((group, stream), []).extend(lines)
            now = round(self._time * 1000)
            self.log_events.setdefault((group, stream), []).extend((now, line) for line in lines)

    def add_secret(self, name: str, text: str) -> str:
        """Make a secret; returns its ARN."""
        arn = f"arn:{self.partition}:secretsmanager:{self.region}:{self.account}:secret:{name}{_SUFFIX}"
        self.secrets[arn] = text
        return arn

    def grant(self, role_arn: str, secret_arn: str) -> None:
        """Let a role read a secret, as late as the world is told."""
        self.grants.add((role_arn, secret_arn))

    def read_secret(self, role_arn: str, secret_id: str) -> str:
        with self._lock:
            found = [arn for arn in self.secrets if secret_id in (arn, arn.removesuffix(_SUFFIX), _name(arn))]
            arn = found[0] if found else secret_id
            allowed = self._may_read(role_arn, arn) and self._arrived(role_arn, arn)
            self.reads.append((role_arn, secret_id, allowed))
            if not allowed:
                role = role_arn.rsplit("/", 1)[-1]
                session = f"arn:{self.partition}:sts::{self.account}:assumed-role/{role}/AWSCodeBuild-0"
                raise SecretUnreadable(texts.secret_denied(session, arn))
            if not found:
                raise SecretUnreadable(texts.NOT_FOUND)
            if not self._may_decrypt(role_arn, arn):
                raise SecretUnreadable(texts.KMS_DENIED)
            return self.secrets[arn]

    def pull(self, image: str, credentials: Credentials | None) -> PullAnswer:
        answer = self._pull(image, credentials)
        self.pulls.append((image, credentials, answer.status))
        return answer

    def start(self, run: Run) -> None:
        with self._lock:
            self._pending[run.build_id] = run
        if self.when == "at-once":
            self.finish(run.build_id)

    def step(self, build_id: str) -> bool:
        """Take a build one phase further; False when it has ended."""
        more = self._pending[build_id].advance()
        if not more:
            self._pending.pop(build_id, None)
        return more

    def finish(self, build_id: str | None = None) -> None:
        """Take a build, or all of them, to the end."""
        for pending in [build_id] if build_id else list(self._pending):
            with self._lock:
                run = self._pending.pop(pending, None)
            if run is not None:
                run()

    def look(self, operation: str, request: Document) -> None:
        """A `before_call` hook: what is watched goes on."""
        if operation == "BatchGetBuilds":
            self.watch(request.get("ids", []))

    def watch(self, builds: Iterable[str]) -> None:
        """Somebody looks at these builds, named by id or ARN."""
        if self.when != "watched":
            return
        for build_id in builds:
            key = str(build_id).rsplit("build/", 1)[-1]
            self._looked[key] += 1
            if self._looked[key] > self.looks:
                self.finish(key)

    def _arrived(self, role_arn: str, secret_arn: str) -> bool:
        first, reads = self._allowed.get((role_arn, secret_arn), (self._time, 0))
        self._allowed[(role_arn, secret_arn)] = (first, reads + 1)
        return reads >= self.late_reads and self._time - first >= self.late_seconds

    def _docker_hub(self, image: str, credentials: Credentials | None) -> PullAnswer:
        if not image_name.split(image).on_docker_hub:
            return PullAnswer(429, "Rate exceeded") if self.others_throttled else PullAnswer(200)
        if image_name.split(image).repository.startswith("verified/"):
            return PullAnswer(200)
        if credentials is None:
            return PullAnswer(429, texts.PULL_LIMIT)
        if self.accounts.get(credentials.username) != credentials.password:
            return PullAnswer(401, "incorrect username or password")
        if credentials.username in self.exhausted:
            return PullAnswer(429, texts.account_limit(credentials.username, self._rng))
        return PullAnswer(200)


def simulate(world: FakeWorld | None = None, *, seed: int = 1, **options: Any) -> tuple[CodeBuild, FakeWorld]:
    """A simulator in a world of its own; `options` are those of CodeBuild."""
    world = world or FakeWorld()
    simulator = CodeBuild(world, seed=seed, **options)

    def look_at_batches(operation: str, request: Document) -> None:
        if operation == "BatchGetBuildBatches":
            world.watch(_children(simulator, request.get("ids", [])))

    simulator.before_call += [world.look, look_at_batches]
    return simulator, world


def pipelines_of(simulator: CodeBuild, world: FakeWorld, **options: Any) -> CodePipeline:
    """A CodePipeline whose actions are builds of that simulator; `options` are those of CodePipeline."""
    pipelines = CodePipeline(world, simulator, **options)

    def look_at_pipeline(operation: str, request: Document) -> None:
        if operation == "GetPipelineState":
            world.watch(pipelines.running_builds(str(request.get("name"))))

    pipelines.before_call.append(look_at_pipeline)
    return pipelines


def _children(simulator: CodeBuild, batches: Iterable[str]) -> list[str]:
    """The builds that batches wait for, by ARN; none of batches that do not exist."""
    found = []
    for batch_id in batches:
        try:
            groups = simulator.batch(batch_id)["buildGroups"]
        except ServiceError:
            continue
        summaries = [group["currentBuildSummary"] for group in groups]
        found += [summary["arn"] for summary in summaries if summary["buildStatus"] == "IN_PROGRESS"]
    return found


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1].removesuffix(_SUFFIX)
