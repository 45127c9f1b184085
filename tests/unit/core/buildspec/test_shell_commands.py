from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.buildspec.shell_commands import commands_in


def words(script: str) -> list[str]:
    return [" ".join(command.words) for command in commands_in(script)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("   \n\t\n", []),
        ("# docker login", []),
        ("echo a # docker login\necho b", ["echo a", "echo b"]),
        ("echo a#b", ["echo a#b"]),
        ("a; b & c && d || e | f\ng", ["a", "b", "c", "d", "e", "f", "g"]),
        ("docker \\\n  login \\\r\n -u x", ["docker login -u x"]),
        ("dock\\\ner login", ["docker login"]),
        ("docker `\n  login `\r\n -u x", ["docker login -u x"]),
        ("'docker' \"login\" d\\ocker 'a b'c\"d\"", ["docker login docker a bcd"]),
        ('echo "docker login; docker logout"', ["echo docker login; docker logout"]),
        ("echo 'it' \"it's # no comment\"", ["echo it it's # no comment"]),
        ('echo "a \\"b\\" \\$c \\d"', ['echo a "b" $c \\d']),
        ("echo $A ${B} ${C:-x y} $((1 << 2)) done", ["echo $A ${B} ${C:-x y} $((1 << 2)) done"]),
        ("((i << 2)); a", ["a"]),
        ("(a; b)", ["a", "b"]),
        ("{ a; b; }", ["a", "b"]),
        ("A=1 B='x y' a", ["a"]),
        ("A=$(a)", ["a"]),
        ("if ! a; then b; elif c; then d; else e; fi; f", ["a", "b", "c", "d", "e", "f"]),
        ("while a; do b; done; until c; do d; done < file", ["a", "b", "c", "d"]),
        ("f() { a; }; f", ["a", "f"]),
        ("function f { a; }", ["a"]),
        ("sudo -u ci -E env -i A=1 nice -n 5 timeout -k 5 30 time exec a b", ["a b"]),
        ("command docker info", ["docker info"]),
        ("command -v docker", ["command -v docker"]),
        ("cat images | xargs -n 1 docker pull", ["cat images", "docker pull"]),
        ("a > out 2>&1 < in >> more &> all", ["a"]),
        ("a 2>/dev/null b", ["a b"]),
        ("try { a } catch { b }", ["a", "catch", "b"]),
        ("echo {} $'it\\'s; a' b", ["echo {} it's; a b"]),
        ("x=(a b) c", ["c"]),
        ("x=( # (\n  a ')'\n  b)\nc", ["c"]),
        ("declare -a x+=(a $(b)); c", ["b", "declare -a x+=(a $(b))", "c"]),
        ("[[ $a =~ (b) && c < d ]] && e", ["[[ $a =~ (b) && c < d ]]", "e"]),
        ("if [[ $(a) || b ]]; then c; fi", ["a", "[[ $(a) || b ]]", "c"]),
        ("x=(a", []),
        ("=(a)", ["=", "a"]),
    ],
)
def test_a_script_is_the_commands_that_a_shell_would_run(script: str, expected: list[str]) -> None:
    assert words(script) == expected


def test_a_substitution_runs_before_the_command_that_it_stands_in_and_is_kept_as_written() -> None:
    assert words('a "$(b "$(c)")" `d \\`e\\``') == ["c", "b $(c)", "e", "d `e`", 'a $(b "$(c)") `d \\`e\\``']
    assert words("diff <(a) >(b)") == ["a", "b", "diff <(a) >(b)"]
    assert words("echo ${A:-$(a)}") == ["a", "echo ${A:-$(a)}"]


def test_what_another_shell_is_given_is_run_too() -> None:
    assert words("sh -c 'a; b'")[1:] == ["a", "b"]
    assert words('bash -lc "a" name')[1:] == ["a"]
    assert words("bash -o pipefail -c a")[1:] == ["a"]
    assert words("su - ci -c 'a b'")[1:] == ["a b"]
    assert words("eval a 'b;' c")[1:] == ["a b", "c"]
    assert words("powershell -NoProfile -Command a b")[1:] == ["a b"]
    assert words("cmd.exe /c a b")[1:] == ["a b"]
    assert words("bash <<EOF\na\nb\nEOF")[1:] == ["a", "b"]
    assert words("sh -c \"sh -c 'sh -c a'\"")[-1] == "a"


def test_what_a_script_in_a_file_is_given_is_not_run() -> None:
    for script in (
        "bash ./run.sh -c 'docker login'",
        "bash x.sh <<EOF\na\nEOF",
        "bash -euo pipefail run.sh -c a",
        "powershell -ExecutionPolicy Bypass -File x.ps1 -c a",
        "pwsh x.ps1 -Command a",
    ):
        assert len(words(script)) == 1
    assert words("bash -euo pipefail -c a")[1:] == ["a"]
    assert words("sh -s name <<EOF\na\nEOF")[1:] == ["a"]
    assert words("bash - <<EOF\na\nEOF")[1:] == ["a"]
    assert words("powershell -ExecutionPolicy Bypass -NoLogo -Command a")[1:] == ["a"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("<# a\nb #> c <# #d #>; e", ["c", "e"]),
        ('echo "a `"; b; `"" c', ['echo a `"; b; `" c']),
        ("$x = @'\nit's\na\n '@\n'@\nb", ["$x = @'\nit's\na\n '@\n'@", "b"]),
        ('echo @"\r\nsay "hi\r\na\r\n"@ | b', ['echo @"\r\nsay "hi\r\na\r\n"@', "b"]),
        ("echo @'a'", ["echo @a"]),
        ("<# a\nb", []),
        ("echo @'\na\nb", ["echo @'\na\nb"]),
    ],
)
def test_comments_and_texts_of_powershell_are_no_commands(script: str, expected: list[str]) -> None:
    assert words(script) == expected


def test_what_stands_before_a_program_is_kept() -> None:
    (command,) = commands_in("if A=1 sudo -u ci docker login")
    assert (command.before, command.words) == (("if", "A=1", "sudo", "-u", "ci"), ("docker", "login"))


def test_what_a_trap_or_a_script_file_runs_is_not_seen() -> None:
    assert words("trap 'docker logout' EXIT") == ["trap docker logout EXIT"]
    assert words("bash build.sh") == ["bash build.sh"]


def test_the_patterns_of_a_case_are_no_commands_unless_they_stand_in_parentheses() -> None:
    script = "case $x in\n  docker) a ;;\n  (b) c ;;\n  *) d ;;\nesac\ne"
    assert words(script) == ["case $x in", "a", "b", "c", "d", "e"], "a pattern in parentheses looks like a subshell"
    assert words("echo $(case x in y) a;; esac) z")[-1] == "echo $(case x in y) a;; esac) z"


def test_a_here_document_is_text_and_not_commands() -> None:
    cat, after = commands_in("cat <<'EOF' > config.json\ndocker login\n  EOF x\nEOF\nafter")
    assert (cat.words, cat.written, cat.heredoc) == (("cat",), ("config.json",), "docker login\n  EOF x\n")
    assert after.words == ("after",)
    first, second = commands_in("cat <<-A | tee <<B file\r\n\tone\r\n\tA\r\ntwo\r\nB\r\n")
    assert (first.heredoc, first.piped) == ("\tone\r\n", True)
    assert (second.heredoc, second.piped) == ("two\r\n", False)
    (here_string,) = commands_in('docker login --password-stdin <<< "$P"')
    assert (here_string.words[-1], here_string.heredoc) == ("--password-stdin", "$P")


def test_only_the_sign_with_a_dash_strips_tabs_before_the_end_of_a_here_document() -> None:
    assert words("cat <<EOF\n\tEOF\ndocker login\nEOF\na") == ["cat", "a"]
    assert words("cat <<-EOF\n\tdocker login\n\tEOF\na") == ["cat", "a"]


def test_a_here_document_without_its_end_is_the_rest() -> None:
    (cat,) = commands_in("cat <<EOF\na\nb")
    assert cat.heredoc == "a\nb"


def test_the_program_is_its_name_without_folder_and_suffix() -> None:
    assert [command.program for command in commands_in("/usr/bin/docker x; Docker.EXE y; './my docker' z")] == [
        "docker",
        "docker",
        "my docker",
    ]


@pytest.mark.parametrize(
    "text", ["echo 'open", 'echo "open', "echo $(open", "echo ${open", "echo `open", "a )", "a } ;;"]
)
def test_a_script_that_ends_too_early_is_read_as_far_as_it_goes(text: str) -> None:
    assert commands_in(text)


def test_a_brace_that_is_not_closed_swallows_only_its_line() -> None:
    assert words("echo ${open\ndocker login") == ["echo ${open", "docker login"]


@given(st.text(alphabet="$(){}[]`'\"\\\n\r\t ;|&<>#aE-=", max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    for command in commands_in(text):
        assert command.words or command.written


HOSTILE = [
    "$(", "`", "${", "(", "$((", '"$(', "case x in ", "<<E\n", "'", '"', "\\", "a;", "then case ", "# x\n", "{ ", "<(",
    'eval "$(', 'bash -c "`', "sh -c '$(", "$(case x in ", "<<A ", "a=$(",
    "x=(", "x=($(", "[[ ", "[[ $(", "<#", "<# #", "@'\n", '@"\n\'@', "\"`\"",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_a_hostile_text_is_read_in_linear_time(part: str) -> None:
    started = time.process_time()
    commands_in(part * (30_000 // len(part)))
    assert time.process_time() - started < 5
