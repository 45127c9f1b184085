"""Decides whether a role that may no longer read the secret of a repaired project is granted that again."""

from __future__ import annotations

from collections.abc import Collection

from remediator.core.guards.review import role_objection
from remediator.core.guards.scope import Scope, out_of_scope, tag_objection
from remediator.core.guards.shared_role import listed
from remediator.core.guards.strangers import Untrusted, stranger_objection
from remediator.core.outcome import Ending, Outcome, advised, skipped
from remediator.core.reading import Reading
from remediator.core.repair.sign_in import SignIn

ANOTHER_SECRET = Outcome(
    Ending.SKIPPED, "the secret that the build could not read is not the one of this stack", quiet=True
)
NEVER_REPAIRED = Outcome(
    Ending.SKIPPED, "the build could not read a secret, and this stack has not repaired its project", quiet=True
)
"""Neither is news: other secrets fail builds for reasons that are their owners'."""

TAKEN_BACK = "the project's repair was taken back"
TAKEN_TWICE = "the grant was taken away again after it had been made a second time, so it is left alone"


def grant_objection(reading: Reading, sign_in: SignIn, scope: Scope, untrusted: Untrusted) -> Outcome | None:
    """Outcome of the first guard that objects to the grant, as far as the project tells. The owner's tag goes first:
    the grant may be gone because the owner wants that, so the owner is told what to do by hand."""
    build, snapshot = reading.build, reading.snapshot
    if build.failure.names_other_secret(sign_in.secret_arn):
        return ANOTHER_SECRET
    if not sign_in.named_in(snapshot.environment):
        return skipped(f"the project no longer names the secret {sign_in.secret_arn}, so there is nothing to grant")
    tagged = tag_objection(snapshot, scope)
    if tagged:
        return left_to_owner(reading, sign_in, tagged.reason)
    return out_of_scope(snapshot, scope) or role_objection(reading, sign_in) or stranger_objection(snapshot, untrusted)


def left_to_owner(reading: Reading, sign_in: SignIn, why: str) -> Outcome:
    """Outcome where the grant is the owner's to make: with what to do by hand, and what to do instead."""
    snapshot = reading.snapshot
    named = ", ".join(sign_in.named_in(snapshot.environment))
    return advised(
        f"the build could not read the secret {sign_in.secret_arn}, and nothing was granted: {why}",
        sign_in.let_role_read(snapshot.role_arn, "Let its builds read the secret, if they are to."),
        f"or undo the repair: take {named} out of the environment of the project {snapshot.name}, and a login that "
        "uses them out of its buildspec",
        "then start the build again",
    )


def granted_all_the_same(role_arn: str, said: str, found: Outcome | None) -> Outcome:
    """Outcome for a build whose role holds the grant. `said` is what CodeBuild told, `found` what refuses the role or
    is wrong with the secret, as far as that can be seen from here."""
    what = found.reason if found else "nothing is found from here that refuses the role"
    advice = found.advice if found else ()
    look = (
        "look for what else refuses the role: a Deny in its other policies, a policy of the organization or of the VPC "
        "endpoint, the policy of the secret or of its key"
    )
    return advised(
        f"the role {role_arn} holds the grant of this stack, and the build could not read the secret all the same: "
        f"{what}. CodeBuild says: {said}",
        *(advice or (look,)),
        "then start the build again",
    )


def unreadable_before(roles: Collection[str], in_a_row: Collection[str], role: str, secret: str) -> Outcome | None:
    """Outcome where a role that is granted the secret would not read it all the same; None where it may be tried.

    `roles` could not: their projects were repaired, their builds failed on the secret, and the repair was taken back.
    That was within a day, and neither the secret's version nor its policy has changed since. A denial may be for one
    role alone. Once two could not read it, and none could between (`in_a_row`), it is taken for a fault of the secret,
    and no third one's builds are broken to find that out.
    """
    if role not in roles and len(in_a_row) < 2:
        return None
    told = (
        f"builds with the service role {role}"
        if role in roles
        else f"builds with other service roles ({listed(sorted(in_a_row))})"
    )
    return advised(
        f"{told} could not read {secret} although they were granted that, and neither its version nor its policy has "
        "changed since; nothing was written",
        "look for what refuses the role: a Deny in its other policies, a policy of the organization or of the VPC "
        "endpoint, the policy of the secret's key",
        "then use the remediate command, which tries it again; so does a new version of the secret, or an edit of its "
        "policy",
    )
