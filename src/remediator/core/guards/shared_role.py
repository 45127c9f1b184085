"""Says what it means that several projects share a service role: all of their builds come to read the secret."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.codebuild.project import Snapshot
from remediator.core.guards.strangers import Untrusted, stranger_objection
from remediator.core.outcome import Ending, Outcome

MOST_TOLD = 20
"""Projects that are named in an outcome."""


def shared_with(others: Sequence[Snapshot], role_name: str, untrusted: Untrusted) -> Outcome | tuple[str, ...]:
    """The advice on projects that share the role; the outcome where strangers could read the secret through one."""
    if not others:
        return ()
    open_ones = [other.name for other in others if stranger_objection(other, untrusted)]
    if open_ones:
        return Outcome(
            Ending.ADVISED,
            f"strangers could read the secret through the service role {role_name}, which the project shares with "
            f"{listed(open_ones)}: builds of theirs are public, or are started by pull requests of anybody",
            advice=(
                "give the project a service role of its own, then use the remediate command",
                "or deploy with UntrustedProjects=repair if those people may have the credentials",
            ),
        )
    names = listed([other.name for other in others])
    return (f"the service role {role_name} is shared with {names}: their builds can read the credentials too",)


def listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_TOLD
    return ", ".join(names[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
