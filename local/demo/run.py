"""Runs the demo: the stack on local AWS, six throttled builds that must come back, three failures left alone."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.aws.launch import LocalAws, start
from local.demo.breaks import broken_source
from local.demo.cases import Cases, make_cases, settle_repository, throttle_repository
from local.demo.claims import StackFacts, few_reads, left_alone, repaired, signed_in
from local.demo.record import Record
from local.demo.scene import Case, Names, Scene
from local.demo.screen import Screen
from local.demo.watch import Watch
from local.stack import MINISTACK, build, client, deploy

Document = dict[str, Any]

SETTLE_SECONDS = 9
"""Longer than the latest grant takes effect here (8 s); on AWS the parameter's default is 60."""
DELIVERIES = 5
PATIENCE = 90.0


def run(screen: Screen, folder: Path, broken: str, seed: int | None) -> Document:
    """Everything, once; returns what demo.json holds."""
    seed = secrets.randbelow(2**31) if seed is None else seed
    names = Names.draw(seed)
    began = time.monotonic()
    screen.title(f"Local AWS, seed {seed}" + (f", with one thing broken: {broken}" if broken else ""))
    source = broken_source(broken, folder / "source") if broken else broken_source("wrong-password", folder)
    with screen.doing("sam build"):
        template = build(folder / "build", source)
    with start(python=MINISTACK, folder=folder / "aws", seed=seed) as aws:
        demo = _Demo(screen, aws, names, broken)
        with screen.doing("sam deploy"):
            demo.deploy(template)
        document = demo.play()
    return {"seed": seed, "broken": broken or None, "seconds": round(time.monotonic() - began, 1), **document}


class _Demo:
    def __init__(self, screen: Screen, aws: LocalAws, names: Names, broken: str) -> None:
        self._screen = screen
        self._aws = aws
        self._names = names
        self._broken = broken
        self._scene = Scene(aws, names)
        self._outputs: dict[str, str] = {}
        aws.order("account", user=names.user, password=names.password, read_only=True)
        password = names.password[::-1] if broken == "wrong-password" else names.password
        self._secret = self._scene.make_secret(names.secret, names.user, password)

    def deploy(self, template: Path) -> None:
        parameters: dict[str, str | int] = {
            "DockerHubSecretArn": self._secret,
            "DockerHubEndpoint": self._aws.registry,
            "ProjectNamePattern": f"{self._names.prefix}-*",
            "SettleSeconds": SETTLE_SECONDS,
        }
        self._outputs = deploy(self._aws, template, self._names.stack, parameters)

    def play(self) -> Document:
        cases = make_cases(self._aws, self._scene, self._names)
        self._pass_once(cases.in_repositories)
        before = {case.name: self._scene.project(case) for case in cases.all}
        times = {**self._main_case(cases.image), **self._others(cases), **self._lookalikes(cases)}
        times |= self._lucky_case(cases.lucky)
        after = {case.name: self._scene.project(case) for case in cases.all}
        record = Record.read(self._aws, self._names.stack)
        self._screen.title("The projects, before and after")
        for case in cases.repaired:
            self._screen.say(f"  {case.project}")
            self._screen.difference(before[case.name], after[case.name])
        facts = StackFacts(self._outputs["GrantPolicyArn"], self._names.user, SETTLE_SECONDS, self._secret)
        claims = repaired(cases.image, record, before["docker-hub"], after["docker-hub"], facts)
        others = (*cases.together, cases.lucky)
        claims += [signed_in(case, record, before[case.name], after[case.name], facts) for case in others]
        claims += [left_alone(case, record, before[case.name], after[case.name]) for case in cases.left_alone]
        claims.append(few_reads(cases.unrelated, record))
        self._screen.title("Counted from the request log and the registry's access log")
        for claim in claims:
            self._screen.claim(claim.name, claim.text, claim.holds)
        return {
            "drawn": {
                "stack": self._names.stack,
                "secret": self._names.secret,
                "user": self._names.user,
                "endpoint": self._aws.endpoint,
                "registry": self._aws.registry,
            },
            "times": times,
            "cases": [self._told(case, record) for case in cases.all],
            "claims": [{"name": claim.name, "text": claim.text, "holds": claim.holds} for claim in claims],
        }

    def _pass_once(self, cases: tuple[Case, ...]) -> None:
        """A build that passed is what tells that a repository's builds neither sign in nor push."""
        for case in cases:
            settle_repository(self._scene, case)
            self._scene.start(case)
        with self._screen.doing(f"{' and '.join(case.project for case in cases)} build and pass"):
            while not all(self._ended(case.build) for case in cases):
                time.sleep(0.1)
        for case in cases:
            throttle_repository(self._scene, case)

    def _main_case(self, case: Case) -> dict[str, float]:
        self._screen.title(f"{case.project} builds in {case.image}, which Docker Hub throttles")
        began = time.time()
        watch = Watch(self._aws, self._names.stack, self._screen, began)
        hold = self._aws.order("hold", service="iam", operation="AttachRolePolicy", principal="RemediatorRole")["hold"]
        self._scene.start(case)
        self._screen.event(0.0, "build", case.build.rpartition("/")[2])
        failed = watch.until("the build to fail", lambda: self._ended(case.build), 30)
        at = {"failed": time.time() - began}
        self._screen.event(at["failed"], "failure", self._failure(case.build), "red")
        caught = failed and watch.until("the first write", lambda: self._caught(hold) or self._has_outcome(case), 30)
        if caught and self._caught(hold):
            self._aws.order("deliver-again", build=case.build, times=DELIVERIES - 1)
            again = f"while the first write is held, the event is delivered {DELIVERIES - 1} more times"
            self._screen.event(time.time() - began, "again", again, "yellow")
            time.sleep(3)
            watch.show()
        self._aws.order("release")
        watch.until("an outcome", lambda: self._has_outcome(case), PATIENCE)
        at["verdict"] = time.time() - began
        case.reported = self._outcome(case)
        good = case.reported.get("outcome") == case.expected
        self._screen.event(at["verdict"], "verdict", self._verdict_line(case), "green" if good else "red")
        return {f"docker-hub-{name}": round(seconds, 1) for name, seconds in at.items()}

    def _others(self, cases: Cases) -> dict[str, float]:
        self._screen.title(
            "Four more: docker build with the buildspec inline, and in the repository; a pipeline's build; one that "
            "is throttled in its image first, then in its docker build"
        )
        return {"together": self._play_together(cases.together, PATIENCE)}

    def _lucky_case(self, case: Case) -> dict[str, float]:
        """Its docker does not see the credentials, and passes all the same: some anonymous pulls are free meanwhile."""
        self._screen.title(f"{case.project} takes the credentials away from docker, and is lucky when it is run again")
        hold = self._aws.order("hold", service="codebuild", operation="StartBuild", principal="RemediatorRole")["hold"]

        def before_retry() -> None:
            self._aws.order("account-pulls", pulls=10)
            self._aws.order("release", hold=hold)

        seconds = self._play_together((case,), PATIENCE, lambda: self._caught(hold), before_retry)
        self._aws.order("release")
        self._aws.order("account-pulls", pulls=0)
        return {"lucky": seconds}

    def _lookalikes(self, cases: Cases) -> dict[str, float]:
        self._screen.title("Three failures that must be left alone")
        return {"lookalikes": self._play_together(cases.left_alone, 30)}

    def _play_together(
        self,
        cases: tuple[Case, ...],
        patience: float,
        held: Callable[[], bool] = lambda: False,
        then: Callable[[], None] = lambda: None,
    ) -> float:
        """Start a build of each and wait for the outcomes; the seconds that took. When something is `held`, `then`."""
        began = time.time()
        watch = Watch(self._aws, self._names.stack, self._screen, began)
        for case in cases:
            self._scene.start(case)
        for case in cases:
            watch.until("the build to fail", lambda case=case: self._ended(case.build), 30)  # type: ignore[misc]
            self._screen.event(time.time() - began, "failure", self._failure(case.build), "red")
        for case in cases:
            watch.until("an outcome", lambda case=case: held() or self._has_outcome(case), patience)  # type: ignore[misc]
            if held():
                then()
                watch.until("an outcome", lambda case=case: self._has_outcome(case), patience)  # type: ignore[misc]
            case.reported = self._outcome(case)
            good = case.reported.get("outcome") == case.expected
            line = f"{case.name}: {self._verdict_line(case)}"
            self._screen.event(time.time() - began, "verdict", line, "green" if good else "red")
        return round(time.time() - began, 1)

    def _told(self, case: Case, record: Record) -> Document:
        """The verdict is what the logs show; `reported` is what the journal says, beside it."""
        return {
            "name": case.name,
            "project": case.project,
            "image": case.image,
            "expected": case.expected,
            "verdict": record.shows(case),
            "shown": case.shown or case.expected,
            "reported": case.reported.get("outcome"),
            "reason": case.reported.get("reason"),
            "writes": [line["operation"] for line in record.writes(case)],
            "retries": len(record.retries(case)),
        }

    def _ended(self, build: str) -> bool:
        return bool(self._build(build).get("buildComplete"))

    def _build(self, build: str) -> Document:
        found = client(self._aws, "codebuild").batch_get_builds(ids=[build])["builds"]
        return dict(found[0]) if found else {}

    def _failure(self, build: str) -> str:
        for phase in self._build(build).get("phases", []):
            if phase.get("phaseStatus") == "FAILED":
                return f"{phase['phaseType']}: {phase['contexts'][0]['message']}"
        return "the build did not fail"

    def _caught(self, hold: int) -> bool:
        return any(one["hold"] == hold and one["caught"] for one in self._aws.order("holds")["holds"])

    def _outcome(self, case: Case) -> Document:
        return self._journaled(case) or self._logged(case)

    def _logged(self, case: Case) -> Document:
        """The line that Intake writes about a failure that has nothing to do with a pull: it is in no journal."""
        group = f"/aws/lambda/{self._names.stack}-Intake"
        events = client(self._aws, "logs").filter_log_events(logGroupName=group, filterPattern=f'"{case.build}"')
        lines = [line for event in events["events"] for line in event["message"].splitlines() if case.build in line]
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return dict(told[0]) if told else {}

    def _journaled(self, case: Case) -> Document:
        key = {"pk": {"S": f"build#{case.build.rpartition('/')[2]}"}}
        item = client(self._aws, "dynamodb").get_item(TableName=self._outputs["JournalTable"], Key=key).get("Item", {})
        report: Document = json.loads(item["report"]["S"]) if "report" in item else {}
        return report

    def _has_outcome(self, case: Case) -> bool:
        return bool(self._outcome(case))

    def _verdict_line(self, case: Case) -> str:
        return f"{case.reported.get('outcome', 'none')}: {case.reported.get('reason', 'no outcome in the journal')}"
