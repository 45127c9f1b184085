"""What a value is after it was written into a checkpoint and read again."""

from __future__ import annotations

from typing import TypeVar

from aws_durable_execution_sdk_python.serdes import SerDesContext

from remediator.workflow.checkpoint import Checkpoint

T = TypeVar("T")
CONTEXT = SerDesContext()


def text_of(value: object) -> str:
    return Checkpoint("step").serialize(value, CONTEXT)


def checkpointed(value: T) -> T:
    read: T = Checkpoint("step").deserialize(text_of(value), CONTEXT)
    return read
