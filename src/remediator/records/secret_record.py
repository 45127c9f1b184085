"""What the journal keeps on the secret in use, in three items that do not expire.

`secret#<ARN>`: Docker Hub's answer on the newest version, whose turn it is to sign in, and until when nobody may; and
which roles could not read the secret, as it was then.
`sharing#<ARN>`: the projects that were signed in with it. `policy#<ARN>`: who edits its resource policy.
"""

from __future__ import annotations

from typing import Any

from remediator.core.value import value
from remediator.records.table import Item, Table

ASKING = 60
"""Seconds in which an execution that signs in at Docker Hub has its answer: three requests of ten seconds each."""
ACCEPTED_FOR = 300
"""Seconds for which an accepted secret is not tried again; a token can be revoked at any time."""
REFUSED_FOR = 3600
"""Seconds for which a refused one is not: failed sign-ins count towards a lockout of the whole account."""
UNREADABLE_FOR = 86_400
"""Seconds for which a role that could not read the secret is not tried again: as long as its project is left alone. The
reason may lie where nobody here can look, and be gone by then."""
EDITING = 180
"""Seconds in which a secret's policy is read and written: more than the function itself may run."""


@value
class Known:
    """What is known of a version of the secret before somebody signs in with it.

    `may_ask`: this execution may, alone. If not, nobody may until `locked_until` (seconds since 1970), or another
    execution asks right now, or Docker Hub answered a short while ago: `accepted` or not, with the account's `limit`
    in a `window` of seconds and what was `remaining`. `fresh_until`: how long that answer is kept. `accepted_before`:
    this version was accepted at some time. `lacks_scope`: it was refused because its token may not pull public images.
    `pushes`: could its token push too? None where Docker Hub was not asked, or did not tell. `unreadable` are the names
    of the roles that could not read the secret although they were granted it, as `unreadable_as` tells the secret's
    version and policy of then; `in_a_row` are those since another role last could.
    """

    may_ask: bool
    locked_until: float = 0.0
    accepted: bool | None = None
    accepted_before: bool = False
    fresh_until: float = 0.0
    limit: int | None = None
    remaining: int | None = None
    window: int | None = None
    lacks_scope: bool = False
    pushes: bool | None = None
    unreadable: tuple[str, ...] = ()
    in_a_row: tuple[str, ...] = ()
    unreadable_as: str = ""


class SecretRecord:
    def __init__(self, table: Table, secret_arn: str) -> None:
        self._table = table
        self._secret = f"secret#{secret_arn}"
        self._users = f"sharing#{secret_arn}"
        self._policy = f"policy#{secret_arn}"

    # Signing in

    def ask(self, version: str, execution: str, now: float, *, afresh: bool = False, of_lockout: bool = False) -> Known:
        """May this execution sign in with this version of the secret? Then it has ASKING seconds for it, alone: a
        fleet that fails at once tries a wrong password once, not once for each of its builds. `afresh`: also when the
        version was accepted a short while ago; never when it was refused. `of_lockout`: the same, once for a window
        (see `accepted`), because a build says that sign-ins are locked out."""
        stale = "attribute_not_exists(fresh_until) OR fresh_until < :now OR version <> :version"
        unlocked = "attribute_not_exists(locked_until) OR locked_until < :now"
        my_turn = "attribute_not_exists(asked_by) OR asked_by = :asked_by OR asked_until < :now"
        compared: dict[str, Any] = {"version": version, "now": now}
        if afresh or of_lockout:
            unheard = " AND (attribute_not_exists(no_lockout_until) OR no_lockout_until < :now)" * of_lockout
            stale, compared["yes"] = f"{stale} OR (accepted = :yes{unheard})", True
        values = {"asked_by": execution, "asked_until": now + ASKING}
        condition = f"({unlocked}) AND ({my_turn}) AND ({stale})"
        may_ask, item = self._table.take(self._secret, values, condition, **compared)
        fresh_until = float(item.get("fresh_until", 0))
        fresh = item.get("version") == version and fresh_until >= int(now)
        if of_lockout and "asked_by" in item and item["asked_until"] >= int(now):
            fresh = False  # what was said before is what is in doubt; the answer comes soon
        accepted_before = item.get("accepted_version") == version
        remembered = item.get("unreadable_until", 0) >= int(now)
        return Known(
            may_ask=may_ask,
            locked_until=_locked_until(item, now),
            accepted=item["accepted"] if fresh else None,
            accepted_before=accepted_before,
            fresh_until=fresh_until,
            limit=item.get("limit"),
            remaining=item.get("remaining"),
            window=item.get("window"),
            lacks_scope=fresh and bool(item.get("lacks_scope")),
            pushes=item.get("pushes") if accepted_before else None,
            unreadable=tuple(sorted(item["unreadable"])) if remembered else (),
            in_a_row=tuple(sorted(item.get("in_a_row", ()))) if remembered else (),
            unreadable_as=item.get("unreadable_as", ""),
        )

    def accepted(
        self,
        version: str,
        execution: str,
        now: float,
        limit: int | None,
        remaining: int | None,
        window: int | None,
        *,
        pushes: bool | None = None,
        no_lockout_until: float = 0,
    ) -> None:
        """Docker Hub takes this version, and says what its account may pull; None where it does not. `pushes`: could
        its token push too? `no_lockout_until`: for how long no build's word of a lockout is asked about again."""
        word = {"version": version, "accepted_version": version, "accepted": True, "fresh_until": now + ACCEPTED_FOR}
        heard = {"no_lockout_until": no_lockout_until} if no_lockout_until else {}
        told = {"limit": limit, "remaining": remaining, "window": window, "pushes": pushes}
        self._asked(execution, {**word, **told, **heard})

    def refused(self, version: str, execution: str, now: float, *, lacks_scope: bool = False) -> None:
        """Docker Hub does not take this version, or with `lacks_scope` gives its token no public image. The scope of a
        token can be widened at any time."""
        until = now + (ACCEPTED_FOR if lacks_scope else REFUSED_FOR)
        word = {"version": version, "accepted": False, "lacks_scope": lacks_scope, "fresh_until": until}
        self._asked(execution, word)

    def not_told(self, execution: str) -> None:
        """Docker Hub said nothing of the secret; others may ask."""
        self._asked(execution, {})

    def lock_out(self, until: float) -> None:
        """Let nobody sign in with the secret until then: Docker Hub has said that it refuses that for now, and each
        further try would prolong it."""
        self._table.update(self._secret, {"locked_until": until})

    def locked_until(self, now: float) -> float:
        """Until when nobody signs in with the secret (seconds since 1970); 0 where anybody may at `now`."""
        return _locked_until(self._table.get(self._secret) or {}, now)

    def refused_until(self, now: float) -> float:
        """Until when the version that Docker Hub refused is not tried again (seconds since 1970); 0 where it was not
        refused."""
        item = self._table.get(self._secret) or {}
        until = float(item.get("fresh_until", 0)) if item.get("accepted") is False else 0.0
        return until if until >= int(now) else 0.0

    def could_push(self) -> bool:
        """Could the token push that Docker Hub accepted last?"""
        return (self._table.get(self._secret) or {}).get("pushes") is True

    def _asked(self, execution: str, values: Item) -> None:
        """Unless somebody else asks by now, because this execution took too long."""
        over = ("asked_by", "asked_until")
        self._table.update(self._secret, values, "asked_by = :me", removed=over, me=execution)

    # Who could not read it

    def add_unreadable(self, role: str, seen: str, now: float) -> None:
        """A role of this name could not read the secret although it was granted that; `seen` is the secret's version
        with the digest of its policy. What was learned of an earlier version or policy, or a day ago, is forgotten."""
        roles = {"unreadable": {role}, "in_a_row": {role}}
        anew = {**roles, "unreadable_as": seen, "unreadable_until": now + UNREADABLE_FOR}
        stale = "attribute_not_exists(unreadable_as) OR unreadable_as <> :seen OR unreadable_until < :now"
        if not self._table.update(self._secret, anew, stale, seen=seen, now=now):
            for name in roles:
                self._table.add(self._secret, name, role)

    def end_row(self, seen: str) -> None:
        """Another role reads the secret as it was `seen`: that some could not is no fault of the secret."""
        self._table.update(self._secret, {}, "unreadable_as = :seen", removed=("in_a_row",), seen=seen)

    def forget_unreadable(self) -> None:
        self._table.update(self._secret, {"unreadable_as": ""})

    # Who uses it

    def users(self) -> tuple[str, ...]:
        """The projects that were signed in with the secret in use."""
        return tuple(sorted((self._table.get(self._users) or {}).get("projects", [])))

    def add_user(self, project: str) -> None:
        """One more project is signed in with the secret in use."""
        self._table.add(self._users, "projects", project)

    # Its resource policy, which is read and written as a whole

    def begin_edit(self, execution: str, now: float) -> bool:
        """Take the secret's resource policy for EDITING seconds; False while another execution edits it."""
        free = "attribute_not_exists(execution) OR execution = :execution OR held_until < :now"
        values = {"execution": execution, "held_until": now + EDITING}
        return self._table.update(self._policy, values, free, now=now)

    def end_edit(self, execution: str) -> None:
        self._table.update(self._policy, {"held_until": 0}, "execution = :me", me=execution)


def _locked_until(item: Item, now: float) -> float:
    until = float(item.get("locked_until", 0))
    return until if until >= int(now) else 0.0
