"""What the stack's parameters allow a repair to do, to which projects, and with which credentials."""

from __future__ import annotations

from remediator.core.guards.scope import EVERYTHING, Scope
from remediator.core.guards.strangers import Untrusted
from remediator.core.repair.sign_in import SignIn
from remediator.core.value import value


@value
class Terms:
    sign_in: SignIn
    untrusted: Untrusted
    edit_buildspecs: bool
    scope: Scope = EVERYTHING
