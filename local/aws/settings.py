"""What one local AWS was told when it was started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """`port` 0 means any free one; `grant_delay` and `build_seconds` are seconds."""

    port_file: Path
    port: int
    seed: int
    account: str
    region: str
    folder: Path
    python: str
    grant_delay: tuple[float, float]
    build_seconds: float
    unreadable_credential: Literal["PROVISIONING", "DOWNLOAD_SOURCE"]
    parent_pipe: bool
