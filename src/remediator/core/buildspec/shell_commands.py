"""Tells which programs a script runs, with which words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remediator.core.buildspec.shell_reader import KEYWORDS, Reader

_READ_AGAIN = 4
"""How many times the script's own length `sh -c '...'` and `eval` are given in all: they may hold one another."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_C_OPTION = re.compile(r"-[A-Za-z]*c|--command")
_WINDOWS_C_OPTION = re.compile(r"-command|-c|/c", re.IGNORECASE)
# Options of shells that take the word behind them.
_WITH_VALUE = re.compile(r"[-+][A-Za-z]*[oO]|--rcfile|--init-file")
_WINDOWS_WITH_VALUE = re.compile(
    r"-(?:ex\w*|ep|w\w*|version|(?:in|out)putformat|configurationname|settingsfile)", re.IGNORECASE
)
# What runs the command that follows it, and the options of it that take a value.
_WRAPPERS = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-r", "-t", "-U", "--user", "--group"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "time": frozenset({"-f", "-o"}),
    "exec": frozenset({"-a"}),
    "command": frozenset[str](),
    "builtin": frozenset[str](),
    "nohup": frozenset[str](),
    "nice": frozenset({"-n", "--adjustment"}),
    "timeout": frozenset({"-k", "-s", "--kill-after", "--signal"}),
    "xargs": frozenset({"-I", "-L", "-n", "-P", "-d", "-a", "-s", "-E"}),
}
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_SHELLS_OF_USERS = frozenset({"su", "sg", "runuser"})
_WINDOWS_SHELLS = frozenset({"pwsh", "powershell", "cmd"})
_EVALS = frozenset({"eval", "iex", "invoke-expression"})


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words without their quotes, substitutions kept as they are written.

    `before` are the keywords, assignments and wrappers such as `sudo` before the program's name. `written` are the
    files that its output is redirected to, `heredoc` the texts that it reads as `<<`, `piped` whether its output is
    the input of the next command.
    """

    words: tuple[str, ...]
    written: tuple[str, ...] = ()
    heredoc: str = ""
    piped: bool = False
    before: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        """The name of the program in lower case, without its folder and `.exe`; empty when nothing is run."""
        return program_name(self.words[0]) if self.words else ""


def program_name(word: str) -> str:
    return word.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")


def commands_in(script: str) -> tuple[Command, ...]:
    """The commands in the order in which they run; a substitution's before the command that it stands in.

    The branches of conditions, the bodies of loops and functions, and what `sh -c` and `eval` are given count as run.
    What `trap` is given does not: it runs when the shell ends. Reads POSIX shells, and of PowerShell what it shares
    with them. Any text has an answer, found in linear time.
    """
    commands: list[Command] = []
    allowance = _READ_AGAIN * len(script)
    reading = [iter(Reader(script).read())]
    while reading:
        draft = next(reading[-1], None)
        if draft is None:
            reading.pop()
            continue
        at = _wrapped_at(draft.words)
        words, before = tuple(draft.words[at:]), tuple(draft.words[:at])
        command = Command(words, tuple(draft.written), "".join(draft.heredoc), draft.piped, before)
        if command.words or command.written:
            commands.append(command)
        inner = _script_given_to(command)
        if 0 < len(inner) <= allowance:
            allowance -= len(inner)
            reading.append(iter(Reader(inner).read()))
    return tuple(commands)


def _script_given_to(command: Command) -> str:
    """What a shell or `eval` is given to run, or nothing."""
    program, words = command.program, command.words[1:]
    if program in _EVALS:
        return " ".join(word for word in words if word.lower() != "-command")
    if program in _SHELLS_OF_USERS:
        return _behind_c(words) or command.heredoc
    if program in _WINDOWS_SHELLS:
        arguments = _behind_shell_options(words, _WINDOWS_WITH_VALUE)
        found = (at for at, word in enumerate(words[:arguments], start=1) if _WINDOWS_C_OPTION.fullmatch(word))
        return " ".join(words[next(found, len(words)) :])
    if program not in _SHELLS:
        return ""
    arguments = _behind_shell_options(words, _WITH_VALUE)
    if any(map(_C_OPTION.fullmatch, words[:arguments])):
        return _behind_c(words)
    return command.heredoc if arguments >= len(words) or "-s" in words[:arguments] else ""


def _behind_c(words: tuple[str, ...]) -> str:
    """The first word behind the option `-c` that is no option."""
    at = next((at for at, word in enumerate(words) if _C_OPTION.fullmatch(word)), len(words))
    return next((word for word in words[at + 1 :] if not word.startswith("-")), "")


def _behind_shell_options(words: tuple[str, ...], with_value: re.Pattern[str]) -> int:
    """Where the first word stands that is no option of a shell: a script's name, with its own options behind it."""
    position = 0
    while position < len(words) and re.match(r"[-+]|/[A-Za-z]\Z", words[position]):
        position += 2 if with_value.fullmatch(words[position]) else 1
    return position


def _wrapped_at(words: list[str]) -> int:
    """Where the program's own name stands, behind keywords, assignments and wrappers."""
    position = 0
    while position < len(words):
        word = words[position]
        name = program_name(word)
        if name in _WRAPPERS:
            behind = _behind_options(words, position + 1, name)
            if behind is None:
                return position
            position = behind
        elif word in KEYWORDS or _ASSIGNMENT.match(word):
            position += 1
        else:
            return position
    return position


def _behind_options(words: list[str], position: int, wrapper: str) -> int | None:
    """Where the wrapped command begins; None when the wrapper runs nothing, as `command -v`."""
    while position < len(words) and words[position].startswith("-"):
        if wrapper == "command" and words[position].lower() == "-v":
            return None
        position += 2 if words[position] in _WRAPPERS[wrapper] else 1
    return position + 1 if wrapper == "timeout" else position
