from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.buildspec.edit import BuildspecError, add_login, find_login_place
from remediator.core.buildspec.insertion import Insertion
from remediator.core.buildspec.login_faults import login_faults
from remediator.core.buildspec.login_line import login_command
from remediator.core.buildspec.phases import BuildspecText, Shell
from remediator.core.buildspec.yaml_text import LONGEST_BUILDSPEC, TooLong

LOGIN = login_command("posix", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")
QUOTED = json.dumps(LOGIN)
HEAD = "version: 0.2\nphases:\n"


def scripts(text: str) -> list[str]:
    return [script for phase in BuildspecText(text).says.phases for script in phase.scripts]


def check_added(text: str, expected: str) -> None:
    """The login stands where the expected text has LOGIN or "LOGIN", and all that has to hold of any addition."""
    new = add_login(text)
    assert LOGIN not in text
    assert new == expected.replace('"LOGIN"', QUOTED).replace("LOGIN", LOGIN)
    check_addition(text, new)


def check_addition(text: str, new: str) -> None:
    added = find_login_place(BuildspecText(text))
    assert added is not None
    insertion = added.insertion
    assert insertion.apply(text) == new
    assert insertion.revert(new) == text
    assert add_login(new) == new, "a second login was added"
    assert scripts(new).count(LOGIN) == 1
    assert scripts(new) == [LOGIN, *scripts(text)], "the login is not one more command, the first"


# Into the list of the first phase with commands.


def test_the_login_goes_before_the_first_command_at_its_indentation() -> None:
    check_added(
        HEAD + "  build:\n    commands:\n      - docker build .\n",
        HEAD + "  build:\n    commands:\n      - LOGIN\n      - docker build .\n",
    )
    check_added(
        HEAD + "  build:\n    commands:\n    - docker build .  # zero\n",
        HEAD + "  build:\n    commands:\n    - LOGIN\n    - docker build .  # zero\n",
    )
    check_added(
        HEAD + "    build:\n        commands:\n            -   docker build .",
        HEAD + "    build:\n        commands:\n            - LOGIN\n            -   docker build .",
    )


def test_phases_count_in_the_order_in_which_they_run() -> None:
    check_added(
        HEAD + "  build:\n    commands:\n      - b\n  install:\n    commands:\n      - a\n",
        HEAD + "  build:\n    commands:\n      - b\n  install:\n    commands:\n      - LOGIN\n      - a\n",
    )
    assert scripts(HEAD + "  build: {commands: [b]}\n  install: {commands: [a], finally: [f]}") == ["a", "f", "b"]


def test_comments_stay_where_they_are() -> None:
    check_added(
        "# top\n" + HEAD + "  build: # x\n    commands: # y\n# zero\n      # - docker login\n      - a # z\n",
        "# top\n"
        + HEAD
        + "  build: # x\n    commands: # y\n# zero\n      # - docker login\n      - LOGIN\n      - a # z\n",
    )


def test_line_ends_stay_what_they_are() -> None:
    for end in ("\r\n", "\r", "\n"):
        text = (HEAD + "  build:\n    commands:\n      - a\n").replace("\n", end)
        expected = (HEAD + "  build:\n    commands:\n      - LOGIN\n      - a\n").replace("\n", end)
        check_added(text, expected)


def test_a_byte_order_mark_and_odd_characters_are_kept() -> None:
    for first in ("\ufeff", "# \U0001f433\n", "---\n", "%YAML 1.2\n---\n"):
        check_added(
            first + HEAD + "  build:\n    commands:\n      - echo ü\u00a0\U0001f433\n",
            first + HEAD + "  build:\n    commands:\n      - LOGIN\n      - echo ü\u00a0\U0001f433\n",
        )


def test_a_first_item_of_any_kind_may_follow() -> None:
    items = [
        "|\n        a\n        b",
        "|2-\n          a",
        ">\n        a",
        '"a\n        b"',
        "a\n        b",
        "",
        "# c",
        "&x a",
    ]
    for item in items:
        body = f"      - {item}\n      - c\n"
        check_added(HEAD + "  build:\n    commands:\n" + body, HEAD + "  build:\n    commands:\n      - LOGIN\n" + body)


def test_an_anchor_that_nothing_uses_does_not_matter() -> None:
    check_added(
        HEAD + "  build:\n    commands: &all # - x\n      - a\n",
        HEAD + "  build:\n    commands: &all # - x\n      - LOGIN\n      - a\n",
    )


def test_a_list_in_brackets_gets_the_login_in_quotes() -> None:
    check_added(
        HEAD + "  build:\n    commands: [npm ci, 'b']\n",
        HEAD + "  build:\n    commands: [\"LOGIN\", npm ci, 'b']\n",
    )
    check_added(
        HEAD + "  build:\n    commands: [\n      a,\n      b\n    ]\n",
        HEAD + '  build:\n    commands: [\n      "LOGIN",\n      a,\n      b\n    ]\n',
    )
    check_added("{phases: {build: {commands: [ a ]}}}", '{phases: {build: {commands: [ "LOGIN", a ]}}}')


def test_json_stays_json() -> None:
    document = {"version": "0.2", "phases": {"install": {}, "build": {"commands": ["a", "b"]}}}
    for spaces in (None, 2, 4, "\t"):
        text = json.dumps(document, indent=spaces)
        new = add_login(text)
        check_addition(text, new)
        assert json.loads(new)["phases"]["build"]["commands"] == [LOGIN, "a", "b"]
    text = json.dumps({"phases": {"build": {"commands": "a"}}}, indent=2)
    assert json.loads(add_login(text))["phases"] == {"pre_build": {"commands": [LOGIN]}, "build": {"commands": "a"}}


def test_of_keys_that_come_twice_the_last_counts() -> None:
    check_added(
        HEAD + "  build:\n    commands:\n      - a\n    commands:\n      - b\n",
        HEAD + "  build:\n    commands:\n      - a\n    commands:\n      - LOGIN\n      - b\n",
    )


# Into a phase of its own.


def test_a_single_command_gets_a_phase_before_its_own() -> None:
    check_added(
        HEAD + "    build:\n        commands: docker build .\n",
        HEAD + "    pre_build:\n        commands:\n            - LOGIN\n    build:\n        commands: docker build .\n",
    )
    check_added(
        HEAD + "  pre_build:\n    commands: >-\n      a\n      b\n",
        HEAD + "  install:\n    commands:\n      - LOGIN\n  pre_build:\n    commands: >-\n      a\n      b\n",
    )


def test_a_list_that_something_else_uses_is_not_edited() -> None:
    check_added(
        "x: &c\n  - a\n" + HEAD + "  build:\n    commands: *c\n",
        "x: &c\n  - a\n" + HEAD + "  pre_build:\n    commands:\n      - LOGIN\n  build:\n    commands: *c\n",
    )
    phases = "  pre_build:\n    commands: &c\n      - a\n  build:\n    commands: *c\n"
    check_added(HEAD + phases, HEAD + "  install:\n    commands:\n      - LOGIN\n" + phases)
    check_added(
        "x: &b\n  commands:\n    - a\n" + HEAD + "  build: *b\n",
        "x: &b\n  commands:\n    - a\n" + HEAD + "  pre_build:\n    commands:\n      - LOGIN\n  build: *b\n",
    )
    check_added(
        "x: &b\n  commands:\n    - a\n" + HEAD + "  build:\n    <<: *b\n",
        "x: &b\n  commands:\n    - a\n" + HEAD + "  pre_build:\n    commands:\n      - LOGIN\n  build:\n    <<: *b\n",
    )


def test_nothing_is_added_to_what_merges_something_in_where_it_might_hide_commands() -> None:
    shared = "x: &b\n  run-as: root\n"
    check_added(
        shared + HEAD + "  pre_build:\n    <<: *b\n  build:\n    commands: b\n",
        shared
        + HEAD
        + "  pre_build:\n    <<: *b\n  install:\n    commands:\n      - LOGIN\n  build:\n    commands: b\n",
    )
    check_added(
        "x: &a {}\n" + HEAD + "  <<: *a\n  build:\n    commands: b\n",
        "x: &a {}\n" + HEAD + "  <<: *a\n  build:\n    commands:\n    - LOGIN\n    - b\n",
    )


@pytest.mark.parametrize("items", ["      - echo a: b\n", "      - - a\n", "      -\n"])
def test_items_that_are_no_text_come_behind_the_login_too(items: str) -> None:
    build = "  build:\n    commands:\n      - b\n"
    check_added(
        HEAD + "  install:\n    commands:\n" + items + build,
        HEAD + "  install:\n    commands:\n      - LOGIN\n" + items + build,
    )
    with pytest.raises(BuildspecError, match="no place was found"):
        add_login(HEAD + "  install:\n    commands: {a: b}\n" + build)


def test_an_alias_as_first_item_may_follow() -> None:
    check_added(
        "x: &a echo\n" + HEAD + "  build:\n    commands:\n      - *a\n",
        "x: &a echo\n" + HEAD + "  build:\n    commands:\n      - LOGIN\n      - *a\n",
    )


@pytest.mark.parametrize("comment", ["", "    # note\n"])
def test_a_phase_without_commands_gets_them(comment: str) -> None:
    before, after = HEAD + "  pre_build:\n    commands: a\n  install:\n" + comment, "    on-failure: ABORT # yes\n"
    check_added(before + after, before + "    commands:\n      - LOGIN\n" + after)


@pytest.mark.parametrize("empty", ["", "  # nothing yet"])
def test_commands_that_are_empty_get_the_login(empty: str) -> None:
    build = "  pre_build:\n    commands: a\n"
    check_added(
        HEAD + f"  install:\n    commands:{empty}\n{build}",
        HEAD + f"  install:\n    commands:{empty}\n      - LOGIN\n{build}",
    )
    check_added(
        HEAD + f"{build}  install:\n    commands:{empty}",
        HEAD + f"{build}  install:\n    commands:{empty}\n      - LOGIN",
    )
    check_added(
        HEAD + f"  install:{empty}\n{build}", HEAD + f"  install:{empty}\n    commands:\n      - LOGIN\n{build}"
    )


def test_empty_brackets_and_braces_get_the_login() -> None:
    build = "  pre_build:\n    commands: a\n"
    check_added(HEAD + "  install:\n    commands: []\n" + build, HEAD + '  install:\n    commands: ["LOGIN"]\n' + build)
    check_added(HEAD + "  install: {}\n" + build, HEAD + '  install: {"commands": ["LOGIN"]}\n' + build)
    check_added("phases: {build: {commands: a}}", 'phases: {pre_build: {commands: ["LOGIN"]}, build: {commands: a}}')


def test_a_phase_that_only_has_a_finally_gets_commands_before_it() -> None:
    rest = "    finally:\n      - docker pull a\n  build:\n    commands:\n      - b\n"
    check_added(HEAD + "  install:\n" + rest, HEAD + "  install:\n    commands:\n      - LOGIN\n" + rest)


# Around one command.


@pytest.mark.parametrize(
    "command",
    [
        "npm ci",
        "npm ci\n      --quiet",
        "'npm ci'",
        "|\n      npm ci\n      a",
        "|2-\n        b",
        "# c\n      a",
        "&x a",
    ],
)
def test_the_one_command_of_the_first_phase_becomes_the_second_of_a_list(command: str) -> None:
    check_added(
        HEAD + f"  install:\n    commands: {command}\n  build:\n    commands:\n      - docker build .\n",
        HEAD
        + f"  install:\n    commands:\n    - LOGIN\n    - {command}\n  build:\n    commands:\n      - docker build .\n",
    )


def test_one_command_of_another_user_gets_the_login_of_the_same_user() -> None:
    check_added(
        HEAD + "  build:\n    run-as: ci\n    commands: docker build .\n",
        HEAD + "  build:\n    run-as: ci\n    commands:\n    - LOGIN\n    - docker build .\n",
    )


@pytest.mark.parametrize(
    "text",
    [
        "x: &c\n  - make\n" + HEAD + "  install:\n    commands: *c\n  build:\n    commands:\n      - b\n",
        "phases: {install: {commands: make}}",
        "phases: {install: {commands: make}, build: {commands: [docker build .]}}",
        '{"phases": {"install": {"commands": null, "finally": ["make"]}, "build": {"commands": ["b"]}}}',
        HEAD + "  install:\n    commands: null\n    finally: make\n  build:\n    commands:\n      - b\n",
    ],
)
def test_a_login_that_would_come_behind_any_other_command_is_refused(text: str) -> None:
    with pytest.raises(BuildspecError, match="no place was found"):
        add_login(text)


@pytest.mark.parametrize("empty", ["''", '""', "!!null", "!!null ''", "!!null a", "!!str ''", "|\n"])
def test_a_command_that_is_empty_or_has_a_tag_does_not_become_the_second_of_a_list(empty: str) -> None:
    with pytest.raises(BuildspecError, match="no place was found"):
        add_login(HEAD + f"  install:\n    commands: {empty}\n  build:\n    commands:\n      - b\n")
    build = f"  build:\n    commands: {empty}\n  post_build:\n    commands:\n      - b\n"
    check_added(HEAD + build, HEAD + "  pre_build:\n    commands:\n      - LOGIN\n" + build)


@pytest.mark.parametrize("install", ["{\n    commands: docker pull a}", "\n    ? commands\n    : docker pull a"])
def test_an_insertion_after_which_the_text_says_something_else_is_not_made(install: str) -> None:
    with pytest.raises(BuildspecError, match="no place was found"):
        add_login(HEAD + f"  install: {install}\n")


# What is there already.


@pytest.mark.parametrize("phase", ["install", "pre_build", "build", "post_build"])
@pytest.mark.parametrize("key", ["commands", "finally"])
def test_a_login_anywhere_is_kept(phase: str, key: str) -> None:
    text = HEAD + f"  build:\n    commands: [a]\n  {phase}:\n    {key}:\n      - docker login -u u\n"
    assert add_login(text) == text
    assert find_login_place(BuildspecText(text)) is None


@pytest.mark.parametrize(
    "command", ["docker login ghcr.io", "docker login $HOST", "docker login index.docker.io", "echo docker login"]
)
def test_another_login_does_not_do(command: str) -> None:
    check_added(
        HEAD + f"  build:\n    commands:\n      - {command}\n",
        HEAD + f"  build:\n    commands:\n      - LOGIN\n      - {command}\n",
    )


def test_our_own_login_is_a_login_in_either_shell_under_any_names() -> None:
    text = HEAD + "  build:\n    commands:\n      - docker build .\n"
    for shell in ("posix", "powershell"):
        new = add_login(text, shell=shell, username_variable="U", password_variable="P")
        assert login_command(shell, "U", "P") in new
        assert add_login(new) == new


# Which shell.


@pytest.mark.parametrize("named", ["powershell.exe", "pwsh", "PowerShell", "C:/x/pwsh.exe"])
def test_a_text_that_names_powershell_gets_its_line(named: str) -> None:
    text = f"env: {{shell: {named}}}\n" + HEAD + "  build:\n    commands:\n      - a\n"
    assert scripts(add_login(text)) == [login_command("powershell", "DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD"), "a"]


def test_a_text_that_names_another_shell_gets_the_line_of_posix() -> None:
    rest = HEAD + "  build:\n    commands:\n      - a\n"
    given_shell: Shell = "powershell"
    for named in ("sh", "bash", "/bin/bash"):
        text = f"env: {{shell: {named}}}\n{rest}"
        assert scripts(add_login(text, shell=given_shell)) == [LOGIN, "a"]
    for env in ("env: {shell: fish}\n", "env: {}\n", ""):
        assert "$env:" in add_login(env + rest, shell=given_shell)


# What is refused.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\t\n", "empty"),
        ("# nothing\n", "something else"),
        ("ci/buildspec.yml", "something else"),
        ("- version: 0.2\n", "something else"),
        ("arn:aws:s3:::bucket/buildspec.yml", "ARN"),
        ("version: 0.2\n", "no phase"),
        ("version: 0.2\nphases:\n", "no phase"),
        ("phases: hunter2", "no phase"),
        ("phases: [hunter2]", "no phase"),
        ("phases: {build: hunter2}", "no phase"),
        ("phases: {build: {commands: {hunter2: a}}}", "no phase"),
        ("phases: {build: {commands: []}}", "no phase"),
        ("phases: {prebuild: {commands: [hunter2]}}", "no phase"),
        ("version: 0.2\nbatch:\n  build-list:\n    - identifier: a\n", "no phase"),
        (HEAD + "  build:\n    finally:\n      - hunter2\n", "no phase"),
        (HEAD + "{% for x in hunter2 %}\n", "not YAML, line 3"),
        ("a: *hunter2\n", "alias"),
        ("a: 'hunter2\n", "not YAML"),
        ("a: \t- hunter2\n", "not YAML"),
        ("a: hunter2\0\n", "not YAML"),
        ("a: hunter2\ud800\n", "not YAML"),
        ('a: "\\UFFFFFFFF hunter2"\n', "not YAML"),
        ("%YAML hunter2\n---\na: b\n", "not YAML"),
        ("a: hunter2\n---\na: b\n", "several"),
        ("a: " + "[" * 25_000, "levels deep"),
        ("{a: " * 6_000, "levels deep"),
        ("- " * 12_000, "levels deep"),
        ("x: &k pre_build\nphases:\n  *k :\n    commands: [hunter2]\n  build:\n    commands: [b]\n", "alias as a key"),
        ("x: &k commands\nphases:\n  build:\n    *k : [hunter2]\n    finally: [b]\n", "alias as a key"),
        ("x: &k phases\n*k : {build: {commands: [hunter2]}}\n", "alias as a key"),
        ("a: &a {commands: [hunter2]}\nb: &b {<<: *a}\nphases: {build: {<<: *b, finally: [c]}}", "merges"),
        (
            "a: &a {build: {commands: [hunter2]}}\nb: &b {<<: *a}\nphases: {<<: [*b], install: {commands: [b]}}",
            "merges",
        ),
        ("a: &a {commands: [hunter2]}\nphases: {build: {<<: *a, <<: {}}, install: {commands: [b]}}", "merges"),
        (HEAD + "  # \x85  build:\n    commands: [hunter2]\n", "line end"),
        (HEAD + "  build:\n    commands: [hunter2\u2028]\n", "line end"),
        (HEAD + "  build:\n    commands: ['hunter2\u2029']\n", "line end"),
        ("env: {shell: cmd.exe}\nphases: {build: {commands: [hunter2]}}", "cmd.exe"),
    ],
)
def test_what_is_no_buildspec_is_refused_with_a_reason_and_without_its_values(text: str, reason: str) -> None:
    with pytest.raises(BuildspecError, match=reason) as error:
        add_login(text)
    assert "hunter2" not in str(error.value)


def test_aliases_are_not_expanded() -> None:
    bomb = "a: &a [x]\n" + "".join(f"b{n}: &a [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" for n in range(50))
    text = bomb + HEAD + "  build:\n    commands: *a\n  install:\n    commands:\n      - b\n"
    started = time.process_time()
    add_login(text)
    entangled = "phases: &p {build: {commands: &c [*c, *c]}, install: *p, pre_build: {<<: [*p, *p], commands: [a]}}"
    assert BuildspecText(entangled).says.phases
    assert time.process_time() - started < 5


def test_a_command_that_comes_again_and_again_by_an_alias_is_read_once() -> None:
    text = f"x: &c '{'docker pull a; ' * 800}'\n" + HEAD + "  build:\n    commands:\n"
    once, often = work(text + "      - *c\n"), work(text + "      - *c\n" * 800)
    assert often < 10 * once, (once, often)


def work(text: str) -> int:
    """How many functions are called until the login is added and looked at: the same number in every run."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        with suppress(BuildspecError):
            added = find_login_place(BuildspecText(text))
            login_faults(added.after.says if added else BuildspecText(text).says)
    finally:
        sys.setprofile(None)
    return calls


COMMANDS = HEAD + "  build:\n    commands:\n"
SHELL = COMMANDS + "      - |\n        "


@pytest.mark.parametrize(
    ("head", "piece", "tail"),
    [
        (COMMANDS, "      - a\n", ""),
        (COMMANDS, "      - docker build .\n", ""),
        (COMMANDS + "      - docker build ", "a b ", "\n"),
        (COMMANDS + "      - 'docker build ", "''", "'\n"),
        (COMMANDS + '      - "docker build ', '\\"', '"\n'),
        (COMMANDS + "      - docker build\n", "        a\n", ""),
        (COMMANDS, "      # a comment\n", "      - docker build .\n"),
        (COMMANDS + "      [", "a,", "b]\n"),
        (COMMANDS + "      [", "[],", "b]\n"),
        ("x: &a docker\n" + COMMANDS, "      - *a\n", ""),
        ("x: &a {b: c}\ny:\n", "  <<: *a\n", COMMANDS + "      - docker build .\n"),
        ("{", "a:,", "b: c}"),
        ("", "a:\n", COMMANDS + "      - docker build .\n"),
        ("", "? a\n", ""),
        ("", "- " * 49 + "a\n", ""),
        (SHELL, "a|", "b\n"),
        (SHELL, "(", "\n"),
        (SHELL, "$(", "\n"),
        (SHELL, "`", "\n"),
        (SHELL, "${a:-", "\n"),
        (SHELL, 'eval "', "\n"),
        (SHELL, "cat <<E ", "\n"),
        (SHELL, "if a; then b; fi; ", "\n"),
        (SHELL, "docker login -u $A -p $B; ", "\n"),
        (COMMANDS + "      - |\n", "        cat <<E\n", ""),
    ],
)
def test_a_hostile_buildspec_costs_work_that_grows_with_its_length_alone(head: str, piece: str, tail: str) -> None:
    """Not more than twice the work, and a little, for twice the length; up to the longest that is read at all."""
    room = LONGEST_BUILDSPEC - 1_000 - len(head) - len(tail)  # a login has room
    half, whole = (head + piece * (room // share // len(piece)) + tail for share in (2, 1))
    assert LONGEST_BUILDSPEC - 1_200 < len(whole) < LONGEST_BUILDSPEC
    done, of = work(whole), work(half)
    assert of > 1_000
    assert done < 2.1 * of, (done, of)


def test_the_longest_buildspec_that_codebuild_takes_gets_its_login() -> None:
    text = COMMANDS + "      - docker build .\n" * 1_000
    spare = LONGEST_BUILDSPEC - len(add_login(text))
    assert spare > 0
    longest = add_login(f"{text}#{'-' * (spare - 1)}")
    assert len(longest) == LONGEST_BUILDSPEC
    assert add_login(longest) == longest


def test_a_login_that_would_make_a_buildspec_longer_than_codebuild_takes_is_not_added() -> None:
    text = COMMANDS + "      - docker build .\n"
    text = f"{text}#{'-' * (LONGEST_BUILDSPEC - len(add_login(text)))}"
    with pytest.raises(TooLong, match="with a login it has more than the 25,600 characters that CodeBuild takes"):
        add_login(text)


@pytest.mark.parametrize(
    "text",
    [
        COMMANDS + "      - echo a\n" * 100_000,
        COMMANDS + "      - echo " + "hunter2 " * 32_000 + "\n",
        "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" for n in range(9_000)),
        "a: " + "[" * 250_000,
        "a: b # hunter2\n" * 17_000,
    ],
)
def test_a_text_that_codebuild_would_not_take_is_not_parsed_at_all(text: str) -> None:
    with pytest.raises(TooLong, match="more than the 25,600 characters"):
        add_login(text)
    assert work(text) < 200


# Undoing it.


def test_an_insertion_is_found_again_after_other_edits() -> None:
    text = HEAD + "  build:\n    commands:\n      - docker build .\n"
    added = find_login_place(BuildspecText(text))
    assert added is not None
    insertion = added.insertion
    later = "# edited since\n" + insertion.apply(text) + "      - echo more\n"
    assert insertion.revert(later) == "# edited since\n" + text + "      - echo more\n"


def test_an_insertion_that_is_gone_or_there_twice_is_not_undone() -> None:
    insertion = Insertion(0, "aa")
    assert insertion.revert("bb") is None
    assert insertion.revert("aa b aa") is None
    assert insertion.revert("aaa") is None
    assert insertion.revert("b aa b") == "b  b"


# Any text, and any buildspec.


@given(st.text(alphabet="abphases:build commands\n-[]{},'\"&*x|>#!%?\t\\<", max_size=120))
@settings(max_examples=150, deadline=None)
def test_any_text_is_refused_or_gets_one_insertion(text: str) -> None:
    for given_text in (text, HEAD + "  build:\n    commands:\n" + text):
        try:
            new = add_login(given_text)
        except BuildspecError:
            continue
        if new != given_text:
            check_addition(given_text, new)


commands = st.sampled_from(
    [
        "npm ci",
        "docker build -t a:b .",
        "echo 'a: b' # c",
        "a\nb\n",
        "  a\n b",
        "",
        "é🔑",
        "- x",
        "yes",
        "docker pull $X",
    ]
)
phase_bodies = st.fixed_dictionaries(
    {"commands": st.lists(commands, min_size=1, max_size=3) | commands},
    optional={
        "run-as": st.just("ci"),
        "finally": st.lists(commands, min_size=1, max_size=2),
        "runtime-versions": st.just({"python": "3.10", "java": "corretto21"}),
    },
)
buildspecs = st.fixed_dictionaries(
    {
        "version": st.sampled_from([0.2, "0.2"]),
        "phases": st.dictionaries(
            st.sampled_from(["install", "pre_build", "build", "post_build"]), phase_bodies, min_size=1
        ),
    },
    optional={"env": st.just({"variables": {"A": "1: #"}}), "cache": st.just({"paths": ["/root/**/*"]})},
)


@given(
    buildspecs,
    st.sampled_from([None, False, True]),
    st.sampled_from([2, 4]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_any_buildspec_gets_one_command_and_nothing_else(
    document: dict[str, Any], flow: bool | None, width: int, end: str, keep_order: bool
) -> None:
    text = yaml.safe_dump(
        document, default_flow_style=flow, indent=width, allow_unicode=True, sort_keys=not keep_order
    ).replace("\n", end)
    install = document["phases"].get("install", {"commands": []})
    if isinstance(install["commands"], str) and (flow is not False or not install["commands"]):
        # One command in braces, or an empty one, with no phase before it: tests of their own say what becomes of it.
        return
    new = add_login(text)
    check_addition(text, new)
    assert without_login(yaml.safe_load(new)) == without_login(yaml.safe_load(text))


def without_login(document: dict[str, Any]) -> dict[str, Any]:
    """The document with one command and a list of one alike, and without the login and what it alone fills."""
    phases = {}
    for name, body in document["phases"].items():
        listed = body["commands"] if isinstance(body["commands"], list) else [body["commands"]]
        kept = [command for command in listed if command != LOGIN]
        if kept or len(body) > 1:
            phases[name] = {**body, "commands": kept}
    return {**document, "phases": phases}
