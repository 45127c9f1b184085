"""Tells which programs a script runs, with which words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from remediator.core.buildspec.shell_reader import KEYWORDS, Reader
from remediator.core.value import value

_READ_AGAIN = 4
"""How many times the script's own length `sh -c '...'` and `eval` are given in all: they may hold one another."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_C_OPTION = re.compile(r"-[A-Za-z]*c|--command")
_WINDOWS_C_OPTION = re.compile(r"-command|-c|/c", re.IGNORECASE)
# How an option of a shell begins, and which of them take the word behind them.
_SHELL_OPTION = r"[-+]|/[A-Za-z]\Z"
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


@value
class Command:
    """One simple command: its words without their quotes, substitutions kept as they are written.

    `written` are the files that its output is redirected to, `heredoc` the texts that it reads as `<<`. `piped`: the
    next command reads its output. `before` are keywords, assignments and wrappers, as `sudo`, before the program.
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

    Branches of conditions, bodies of loops and functions, and the scripts of `sh -c` and `eval` count as run, that of
    `trap` does not. Reads POSIX shells, and of PowerShell what it shares with them. Any text has an answer, found in
    linear time.
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
        arguments = options_end(words, _WINDOWS_WITH_VALUE.fullmatch, _SHELL_OPTION)
        found = (at for at, word in enumerate(words[:arguments], start=1) if _WINDOWS_C_OPTION.fullmatch(word))
        return " ".join(words[next(found, len(words)) :])
    if program not in _SHELLS:
        return ""
    arguments = options_end(words, _WITH_VALUE.fullmatch, _SHELL_OPTION)
    if any(map(_C_OPTION.fullmatch, words[:arguments])):
        return _behind_c(words)
    return command.heredoc if arguments >= len(words) or "-s" in words[:arguments] else ""


def _behind_c(words: tuple[str, ...]) -> str:
    """The first word behind the option `-c` that is no option."""
    at = next((at for at, word in enumerate(words) if _C_OPTION.fullmatch(word)), len(words))
    return next((word for word in words[at + 1 :] if not word.startswith("-")), "")


def options_end(
    words: Sequence[str], takes_value: Callable[[str], object], option: str = "-", position: int = 0
) -> int:
    """Where the first word from a position on stands that is no option (by its beginning) and not an option's value."""
    while position < len(words) and re.match(option, words[position]):
        position += 2 if takes_value(words[position]) else 1
    return position


def _wrapped_at(words: list[str]) -> int:
    """Where the program's own name stands, behind keywords, assignments and wrappers."""
    position = 0
    while position < len(words):
        word = words[position]
        name = program_name(word)
        if name in _WRAPPERS:
            end = options_end(words, _WRAPPERS[name].__contains__, position=position + 1)
            if name == "command" and any(option.lower() == "-v" for option in words[position + 1 : end]):
                return position  # `command -v` runs nothing
            position = end + 1 if name == "timeout" else end
        elif word in KEYWORDS or _ASSIGNMENT.match(word):
            position += 1
        else:
            return position
    return position
