"""Runs the demo: the stack on local AWS, a throttled build that must come back, two look-alikes left alone."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

from local.aws.launch import LocalAws, start
from local.demo.breaks import broken_source
from local.demo.claims import StackFacts, left_alone, repaired
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
        aws.order("account", user=names.user, password=names.password)
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
        main, public, account = self._cases()
        cases = [main, public, account]
        before = {case.name: self._scene.project(case) for case in cases}
        times = self._main_case(main)
        lookalikes = self._lookalikes([public, account])
        after = {case.name: self._scene.project(case) for case in cases}
        record = Record.read(self._aws, self._names.stack)
        self._screen.title("The project, before and after")
        self._screen.difference(before[main.name], after[main.name])
        facts = StackFacts(self._outputs["GrantPolicyArn"], self._names.user, SETTLE_SECONDS)
        claims = repaired(main, record, before[main.name], after[main.name], self._secret, facts)
        claims += [left_alone(case, record, before[case.name], after[case.name]) for case in (public, account)]
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
            "times": {**times, **lookalikes},
            "cases": [self._told(case, record) for case in cases],
            "claims": [{"name": claim.name, "text": claim.text, "holds": claim.holds} for claim in claims],
        }

    def _cases(self) -> tuple[Case, Case, Case]:
        names, scene = self._names, self._scene
        main = scene.make_case("docker-hub", names.words[0], names.hub_image, "remediated")
        public = scene.make_case("ecr-public", names.words[1], names.public_image, "skipped")
        self._aws.order("throttle", registry="public.ecr.aws", text="Rate exceeded")
        poor, password = f"{names.user}-free", names.password + "x"
        self._aws.order("account", user=poor, password=password, pulls=0)
        own = scene.make_secret(f"{names.secret}-free", poor, password)
        credential = {"credential": own, "credentialProvider": "SECRETS_MANAGER"}
        account = scene.make_case(
            "account-limit", names.words[2], names.hub_image, "advised", registryCredential=credential
        )
        scene.let_read(account, own)
        return main, public, account

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

    def _lookalikes(self, cases: list[Case]) -> dict[str, float]:
        self._screen.title("Two look-alikes that must be left alone")
        began = time.time()
        watch = Watch(self._aws, self._names.stack, self._screen, began)
        for case in cases:
            self._scene.start(case)
        for case in cases:
            watch.until("the build to fail", lambda case=case: self._ended(case.build), 30)  # type: ignore[misc]
            self._screen.event(time.time() - began, "failure", self._failure(case.build), "red")
        for case in cases:
            watch.until("an outcome", lambda case=case: self._has_outcome(case), 30)  # type: ignore[misc]
            case.reported = self._outcome(case)
            good = case.reported.get("outcome") == case.expected
            line = f"{case.name}: {self._verdict_line(case)}"
            self._screen.event(time.time() - began, "verdict", line, "green" if good else "red")
        return {"lookalikes": round(time.time() - began, 1)}

    def _told(self, case: Case, record: Record) -> Document:
        """The verdict is what the logs show; `reported` is what the journal says, beside it."""
        writes = record.writes(case)
        retried = record.writes(case, "StartBuild")
        signed_in = retried and any(
            pull["status"] == 200 and pull["account"] for pull in record.pulls(case.image, float(retried[0]["time"]))
        )
        verdict = "remediated" if signed_in else ("changed" if writes else "left alone")
        return {
            "name": case.name,
            "project": case.project,
            "image": case.image,
            "expected": case.expected,
            "verdict": verdict,
            "reported": case.reported.get("outcome"),
            "reason": case.reported.get("reason"),
            "writes": [line["operation"] for line in writes],
            "retries": len(retried),
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
        key = {"pk": {"S": f"build#{case.build.rpartition('/')[2]}"}}
        item = client(self._aws, "dynamodb").get_item(TableName=self._outputs["JournalTable"], Key=key).get("Item", {})
        report: Document = json.loads(item["report"]["S"]) if "report" in item else {}
        return report

    def _has_outcome(self, case: Case) -> bool:
        return bool(self._outcome(case))

    def _verdict_line(self, case: Case) -> str:
        return f"{case.reported.get('outcome', 'none')}: {case.reported.get('reason', 'no outcome in the journal')}"
