"""What a pipeline is and how its executions go from stage to stage.

An execution holds one stage at a time; the next one waits at the stage's door, and a later one takes its place
there (mode SUPERSEDED). A stage that failed holds nobody back.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

RetryTrigger = Literal["AutomatedStageRetry", "ManualStageRetry"]


@dataclass(frozen=True)
class Stage:
    """A stage as its owner writes it.

    `actions` has the CodeBuild project of each action, None for one that builds nothing and succeeds at once,
    as a source does here. With `on_failure` RETRY the stage retries itself once.
    """

    name: str
    actions: Mapping[str, str | None]
    on_failure: Literal["RETRY"] | None = None


@dataclass
class ActionRun:
    """One execution of an action, for one execution of its pipeline in that `version`.

    `build` is the id of its build, None while it has none; `claimed` says that somebody is starting it.
    `refusals` counts the retries of its stage that were refused since its build ended.
    """

    id: str
    name: str
    execution: str
    version: int
    started: float
    changed: float
    status: Literal["InProgress", "Succeeded", "Failed"] = "InProgress"
    build: str | None = None
    claimed: bool = False
    refusals: int = 0
    retried: bool = False
    error: str = ""

    @property
    def running(self) -> bool:
        return self.status == "InProgress"

    def end(self, status: Literal["Succeeded", "Failed"], now: float, error: str = "") -> None:
        self.status, self.changed, self.error = status, now, error


@dataclass
class StageRun:
    """A stage as it stands: who holds it, who waits, what each of its actions ran last.

    An action that the execution has not reached still shows what it ran for an older one. `past` has every run of
    every action, oldest first. `rejects` is the action in which the next execution fails.
    `failed_version` is the pipeline's version when the last failure was noticed.
    """

    plan: Stage
    execution: str | None = None
    inbound: str | None = None
    actions: dict[str, ActionRun] = field(default_factory=dict)
    past: list[ActionRun] = field(default_factory=list)
    rejects: str | None = None
    handed_over: bool = False
    failed_version: int = 0
    automatic_retries: int = 0
    manual_retries: int = 0
    latest_trigger: RetryTrigger | None = None

    @property
    def running(self) -> bool:
        return any(action.running for action in self.actions.values())

    @property
    def retrying(self) -> bool:
        return any(action.running and action.retried for action in self.actions.values())

    @property
    def failed(self) -> list[str]:
        return [
            name
            for name, action in self.actions.items()
            if action.status == "Failed" and action.execution == self.execution
        ]

    @property
    def status(self) -> str:
        """Failed as soon as one action has failed, since the stage can be retried from then on."""
        if self.failed and not self.retrying:
            return "Failed"
        return "InProgress" if self.running else "Succeeded"

    def enter(self, execution: str, version: int, now: float, new_id: Callable[[], str]) -> None:
        """Let the execution that waits take the stage; where an action rejects it, those after that do not start."""
        self.execution, self.inbound = execution, None
        self.handed_over = False
        self.automatic_retries = self.manual_retries = 0
        self.latest_trigger = None
        rejected, self.rejects = self.rejects, None
        for name in self.plan.actions:
            action = self._run(name, ActionRun(new_id(), name, execution, version, now, now))
            if name == rejected:
                action.end("Failed", now, "Rejected")
                self.failed_version = version
                break

    def retry(
        self, names: Iterable[str], trigger: RetryTrigger, version: int, now: float, new_id: Callable[[], str]
    ) -> None:
        """Start these actions again, for the same execution, and those that it had not reached."""
        execution = self.execution
        if execution is None:
            return
        again = set(names)
        for name in self.plan.actions:
            latest = self.actions.get(name)
            if name in again or latest is None or latest.execution != execution:
                self._run(name, ActionRun(new_id(), name, execution, version, now, now, retried=True))
        self.latest_trigger = trigger
        if trigger == "ManualStageRetry":
            self.manual_retries += 1
        else:
            self.automatic_retries += 1

    def _run(self, name: str, action: ActionRun) -> ActionRun:
        self.actions[name] = action
        self.past.append(action)
        if self.plan.actions[name] is None:
            action.end("Succeeded", action.started)
        return action


@dataclass
class Pipeline:
    """A pipeline and its stages; `version` grows with every change of its structure.

    `executions` has the ids of all that were started; `triggers` is shown as its owner wrote it.
    """

    name: str
    stages: list[StageRun]
    created: float
    updated: float
    version: int = 1
    executions: set[str] = field(default_factory=set)
    triggers: Sequence[Mapping[str, object]] = ()

    def stage(self, name: object) -> StageRun | None:
        return next((stage for stage in self.stages if stage.plan.name == name), None)

    def past(self, execution: str | None) -> list[tuple[StageRun, ActionRun]]:
        """What its actions ran, newest first: all of it, or that of one execution."""
        runs = [(stage, run) for stage in self.stages for run in stage.past if execution in (None, run.execution)]
        return sorted(runs, key=lambda found: found[1].started)[::-1]

    def move(self, now: float, new_id: Callable[[], str]) -> None:
        """Hand executions over to the next stage, and let in those that wait at a stage where nothing runs."""
        for stage, following in zip(self.stages, [*self.stages[1:], None], strict=True):
            _hand_over(stage, following)
            if stage.inbound is not None and not stage.running:
                stage.enter(stage.inbound, self.version, now, new_id)
                _hand_over(stage, following)


def _hand_over(stage: StageRun, following: StageRun | None) -> None:
    if stage.execution is not None and stage.status == "Succeeded" and not stage.handed_over:
        stage.handed_over = True
        if following is not None:
            following.inbound = stage.execution
