"""`make deploy-local`: a local AWS with the stack deployed, for trying things by hand until Ctrl-C."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from local.aws.launch import ROOT, LaunchError, LocalAws, start
from local.demo.scene import STANDARD_IMAGE, Names, Scene, inline
from local.stack import MINISTACK, StackError, build, deploy

STATE = ROOT / ".local" / "aws.json"
"""Where the running local AWS is written down for `make invoke`."""
PROJECT = "orders-api"
DOCKER_PROJECT = "orders-image"
STACK = "remediator"
SETTLE_SECONDS = 9


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
        try:
            _serve(Path(folder))
        except (LaunchError, StackError) as error:
            print(f"deploy-local: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ndeploy-local: stopped; nothing is left behind")
        finally:
            STATE.unlink(missing_ok=True)
    return 0


def _serve(folder: Path) -> None:
    print("sam build …", flush=True)
    template = build(folder / "build")
    with start(python=MINISTACK, folder=folder / "aws") as aws:
        print("sam deploy …", flush=True)
        outputs = _prepare(aws, template)
        STATE.parent.mkdir(exist_ok=True)
        facts = {"endpoint": aws.endpoint, "region": aws.region, "environment": aws.environment, "outputs": outputs}
        STATE.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        print(_welcome(aws, outputs), flush=True)
        status = aws.process.wait()
        raise LaunchError(f"local AWS ended with {status}; its log is {aws.log}")


def _prepare(aws: LocalAws, template: Path) -> dict[str, str]:
    """The stack, a Docker Hub account with its secret, and two projects that Docker Hub throttles: the one's image,
    and a `docker build` of the other's."""
    names = Names.draw(secrets.randbelow(2**31))
    scene = Scene(aws, names)
    aws.order("account", user=names.user, password=names.password, read_only=True)
    secret = scene.make_secret(names.secret, names.user, names.password)
    parameters: dict[str, str | int] = {
        "DockerHubSecretArn": secret,
        "DockerHubEndpoint": aws.registry,
        "SettleSeconds": SETTLE_SECONDS,
    }
    outputs = deploy(aws, template, STACK, parameters)
    scene.make_project(PROJECT, names.hub_image)
    commands = f"printf 'FROM {names.pulled[0]}\\n' > Dockerfile && docker build -t {DOCKER_PROJECT} ."
    source = inline(f"  build:\n    commands:\n      - {commands}\n")
    curated = {"privilegedMode": True, "imagePullCredentialsType": "CODEBUILD"}
    scene.make_project(DOCKER_PROJECT, STANDARD_IMAGE, source, **curated)
    return outputs


def _welcome(aws: LocalAws, outputs: dict[str, str]) -> str:
    keys = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")
    exports = "\n".join(f"  export {key}={aws.environment[key]}" for key in keys)
    told = "\n".join(f"  {name:<22} {value}" for name, value in sorted(outputs.items()))
    return f"""
The stack {STACK} runs on {aws.endpoint} until you press Ctrl-C. Its outputs:
{told}

In another terminal:
{exports}
  aws --endpoint-url {aws.endpoint} codebuild start-build --project-name {PROJECT}        # its image is throttled
  aws --endpoint-url {aws.endpoint} codebuild start-build --project-name {DOCKER_PROJECT}      # its docker build is
  aws --endpoint-url {aws.endpoint} codebuild batch-get-projects --names {PROJECT}
  aws --endpoint-url {aws.endpoint} dynamodb scan --table-name {outputs["JournalTable"]}
  make invoke EVENT=events/plan.json
  ./remediator projects --stack {STACK}
  .tools/sam/bin/sam remote invoke Intake --stack-name {STACK} --event-file events/plan.json
"""


if __name__ == "__main__":
    sys.exit(main())
