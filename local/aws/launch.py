"""Starts local AWS as a process of its own and stops it again. Standard library only.

    with launch.start(python=Path(".tools/local/bin/python"), folder=scratch) as aws:
        client = boto3.client("codebuild", endpoint_url=aws.endpoint, region_name=aws.region, **...)

The server gets a clean environment, hears of our end through its standard input, and so never outlives
the process that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "LD_LIBRARY_PATH")


class LaunchError(RuntimeError):
    """Local AWS did not come up, or an order of `/_local/` was refused."""


@dataclass
class LocalAws:
    """A running local AWS."""

    endpoint: str
    registry: str
    seed: int
    account: str
    region: str
    requests: Path
    access_log: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def credentials(self) -> dict[str, str]:
        """Keys of the account's root user, who may do everything, named as environment variables."""
        return {"AWS_ACCESS_KEY_ID": self.account, "AWS_SECRET_ACCESS_KEY": "test"}

    @property
    def environment(self) -> dict[str, str]:
        """What a command such as `sam` or `aws` needs in its environment to talk to this AWS and to no other."""
        return {
            **self.credentials,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def order(self, name: str, /, patience: float = 60, **arguments: Any) -> dict[str, Any]:
        """`POST /_local/<name>`: see `local.aws.orders` for the orders there are."""
        request = urllib.request.Request(
            f"{self.endpoint}/_local/{name}",
            json.dumps(arguments).encode(),
            {"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=patience) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise LaunchError(f"/_local/{name}: {error.read().decode(errors='replace')}") from error

    def read_requests(self) -> list[dict[str, Any]]:
        """Every AWS request so far, oldest first."""
        return _lines(self.requests)

    def read_access_log(self) -> list[dict[str, Any]]:
        """Every request to the registry so far, oldest first."""
        return _lines(self.access_log)

    def stop(self, patience: float = 15) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(patience)
        if self.process.stdin is not None:
            self.process.stdin.close()


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    complete = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in complete.splitlines()]


def launch(
    *,
    python: Path | str,
    folder: Path,
    lambda_python: str = sys.executable,
    seed: int | None = None,
    port: int = 0,
    region: str = "eu-central-1",
    timeout: float = 60,
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] = os.environ,
) -> LocalAws:
    """Start local AWS and wait until it answers.

    `python` is the interpreter that has MiniStack; `lambda_python` runs the functions (3.11 or later, its
    installed packages stay out of sight). Logs and the port file go to `folder`. Raises LaunchError with
    the end of the server's log when it does not come up within `timeout` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port_file, log = folder / "local-aws.json", folder / "local-aws.log"
    port_file.unlink(missing_ok=True)
    command = [str(python), "-m", "local.aws", "--port-file", str(port_file), "--python", lambda_python]
    command += ["--region", region, "--port", str(port), "--parent-pipe"]
    command += [] if seed is None else ["--seed", str(seed)]
    clean = {name: environment[name] for name in KEPT if name in environment}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env={**clean, "PYTHONDONTWRITEBYTECODE": "1"} if not os.access(ROOT, os.W_OK) else clean,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: we stop the server in order
        )
    deadline = time.monotonic() + timeout
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            why = f"ended with {process.returncode}" if process.poll() is not None else f"not ready after {timeout:g} s"
            process.kill()
            process.wait()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            raise LaunchError(f"local AWS: {why}. The end of {log}:\n{tail}")
        time.sleep(0.05)
    facts = json.loads(port_file.read_text())
    return LocalAws(
        endpoint=facts["endpoint"],
        registry=facts["registry"],
        seed=facts["seed"],
        account=facts["account"],
        region=facts["region"],
        requests=Path(facts["requests"]),
        access_log=Path(facts["access_log"]),
        log=log,
        process=process,
    )


@contextlib.contextmanager
def start(*, python: Path | str, folder: Path, **options: Any) -> Iterator[LocalAws]:
    """`launch` as a context: local AWS ends with it."""
    aws = launch(python=python, folder=folder, **options)
    try:
        yield aws
    finally:
        aws.stop()
