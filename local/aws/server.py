"""Puts local AWS together: MiniStack's settings, everything that MiniStack lacks, and its start and end.

This is the one place where MiniStack's modules are changed, in `assemble`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.aws.settings import Settings

HOST = "127.0.0.1"


def main(settings: Settings) -> int:
    """Serve until a signal or the end of standard input; the exit status."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=settings.folder))
    port = settings.port or _free_port()
    _environment(settings, scratch, port)
    print(f"local AWS: seed {settings.seed}, account {settings.account}, port {port}", flush=True)
    try:
        asyncio.run(_serve(settings, scratch, port))
    finally:
        settings.port_file.unlink(missing_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(settings: Settings, scratch: Path, port: int) -> None:
    """MiniStack reads its settings from the environment while it is imported."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_", "LAMBDA_"))]:
        del os.environ[name]
    os.environ.update(
        {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": settings.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "MINISTACK_ACCOUNT_ID": settings.account,
            "MINISTACK_REGION": settings.region,
            "DOCKER_HOST": f"unix://{scratch}/no-docker",
            "STATE_DIR": str(scratch / "state"),
            "S3_DATA_DIR": str(scratch / "s3"),
            "TMPDIR": str(scratch),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }
    )
    tempfile.tempdir = str(scratch)


async def _serve(settings: Settings, scratch: Path, port: int) -> None:
    from local.aws.front import serve

    front, facts, close = assemble(settings, scratch, port)
    stopped = asyncio.Event()

    def stop() -> None:
        front.holds.release(None)  # nobody is left to do it
        stopped.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if settings.parent_pipe:
        _follow_parent(loop, stop)

    def ready() -> None:
        unfinished = settings.port_file.with_suffix(".part")
        unfinished.write_text(json.dumps(facts))
        unfinished.rename(settings.port_file)  # whoever waits for the file finds it whole
        print(f"local AWS: ready at {facts['endpoint']}", flush=True)

    try:
        await serve(front, HOST, port, stopped, ready)
    finally:
        close()


def _follow_parent(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Stop when whoever started us is gone: the pipe from there ends with it."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):  # unbuffered: a buffer's lock would block the interpreter's end
            pass
        loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, daemon=True, name="parent").start()


def assemble(settings: Settings, scratch: Path, port: int) -> tuple[Any, dict[str, Any], Callable[[], None]]:
    """The application, what the port file says, and what has to be called at the end."""
    from local.agent import Agent
    from local.aws import codebuild, codepipeline, functions, iam, logs, secrets_manager, stacks
    from local.aws.delivery import Delivery
    from local.aws.durable import Durable
    from local.aws.front import Front
    from local.aws.grants import Grants
    from local.aws.holds import Holds
    from local.aws.orders import Orders
    from local.aws.requests import RequestLog
    from local.registry import Registry
    from local.simulator import CodeBuild, CodePipeline

    endpoint = f"http://{HOST}:{port}"
    logging.getLogger("local.aws").setLevel(logging.INFO)
    access_log = settings.folder / "registry.jsonl"
    access_log.write_text("")
    registry = Registry(log_file=access_log).start()
    world = codebuild.World(account=settings.account, region=settings.region, endpoint=endpoint, registry=registry)
    builds = scratch / "builds"
    builds.mkdir()
    agent = Agent(registry.url, throttled=world.throttled_registries, folder=builds)
    simulator = CodeBuild(
        world,
        seed=settings.seed,
        pace=settings.build_seconds / codebuild.MEAN_BUILD_SECONDS,
        unreadable_credential=settings.unreadable_credential,
        run_commands=agent,
    )
    pipelines = CodePipeline(world, simulator, seed=settings.seed)
    running = functions.Functions(python=settings.python, endpoint=endpoint, folder=scratch / "functions")
    running.folder.mkdir()
    durable = Durable(running, settings.region)
    grants = Grants(settings.seed, *settings.grant_delay)
    holds = Holds()
    log = RequestLog(settings.folder / "requests.jsonl")

    iam.install()
    grants.install()
    secrets_manager.install()
    functions.install(running)
    durable.install()
    Delivery(running, durable).install()
    codebuild.install(simulator, world)
    codepipeline.install(pipelines)
    logs.install()
    stacks.install()

    def close() -> None:
        agent.close()
        durable.stop()
        running.stop()
        registry.stop()

    facts = {
        "endpoint": endpoint,
        "registry": registry.url,
        "seed": settings.seed,
        "account": settings.account,
        "region": settings.region,
        "pid": os.getpid(),
        "requests": str(log.path),
        "access_log": str(access_log),
    }
    orders = Orders(holds, grants, registry, world, simulator, pipelines, agent)
    return Front(orders, holds, log), facts, close
