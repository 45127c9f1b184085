"""The artifact as `sam build` gets it: complete without what is left out, pure Python, the same each time."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap
from artifact import build

# Imports every module below the folder named first, which is all that is on the path besides the standard library.
IMPORT_ALL = """
import importlib, json, pathlib, sys
tree = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(tree))
failed = {}
for path in sorted(tree.rglob("*.py")):
    name = ".".join(path.relative_to(tree).with_suffix("").parts).removesuffix(".__init__")
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""
# What a file of bytecode says about itself, read by the Python that made it.
DESCRIBE = """
import importlib.util, json, marshal, pathlib, sys
source = pathlib.Path(sys.argv[1], "six.py")
bytecode = pathlib.Path(importlib.util.cache_from_source(source)).read_bytes()
print(json.dumps({
    "magic": bytecode[:4] == importlib.util.MAGIC_NUMBER,
    "flags": int.from_bytes(bytecode[4:8], "little"),
    "source": bytecode[8:16] == importlib.util.source_hash(source.read_bytes()),
    "file": marshal.loads(bytecode[16:]).co_filename,
}))
"""

COMPILER = build.find_compiler()
needs_compiler = pytest.mark.skipif(COMPILER is None, reason=f"no python{build.RUNTIME} here")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """src/ as it was when the tests began: an editor may be at work in it."""
    return shutil.copytree(build.SOURCE, tmp_path_factory.mktemp("source") / "src")


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    tree = tmp_path_factory.mktemp("artifact") / "tree"
    build.build(tree, source=source, compiler=COMPILER)
    return tree


def contents(tree: Path) -> dict[str, str]:
    """Digest of each file by its path."""
    return {
        str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(tree.rglob("*"))
        if path.is_file()
    }


def run(python: str, script: str, tree: Path) -> str:
    """Output of an interpreter that sees nothing of this environment and caches no bytecode."""
    command = [python, "-I", "-B", "-W", "ignore", "-S", "-c", script, str(tree)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize("python", sorted({sys.executable, COMPILER.python if COMPILER else sys.executable}))
def test_every_module_that_is_left_can_be_imported(artifact: Path, python: str) -> None:
    failed = json.loads(run(python, IMPORT_ALL, artifact))
    assert not failed, json.dumps(failed, indent=2)


def test_it_holds_every_module_of_ours_and_no_build_file(artifact: Path, source: Path) -> None:
    ours = {str(path.relative_to(source)) for path in source.rglob("*.py")}
    assert ours <= contents(artifact).keys()
    assert not {"Makefile", "requirements.txt"} & contents(artifact).keys()


def test_it_holds_no_compiled_file(artifact: Path) -> None:
    build.refuse_compiled(artifact)


def test_a_compiled_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "_speedups.cpython-313-aarch64-linux-gnu.so").touch()
    with pytest.raises(build.BuildError, match="_speedups"):
        build.refuse_compiled(tmp_path)


def test_it_holds_the_licence_text_of_every_package_that_it_bundles(artifact: Path) -> None:
    bundled = re.findall(r"^([\w.-]+)==", build.REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    kept = {folder.name.replace("_", "-"): folder for folder in (artifact / "licenses").iterdir()}
    assert kept.keys() == set(bundled)
    for name, folder in kept.items():
        texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        licence = next(text for file, text in texts.items() if "LICEN" in file.upper())
        assert len(licence) > 500, name
    for name in ("boto3", "botocore", "s3transfer", "aws_durable_execution_sdk_python"):
        assert any("NOTICE" in path.name for path in (artifact / "licenses" / name).iterdir()), name
    assert not list(artifact.glob("*.dist-info"))


@pytest.mark.parametrize("file", ["METADATA", "license.py", "unlicensed.txt"])
def test_a_package_without_a_licence_text_is_refused_by_name(tmp_path: Path, file: str) -> None:
    (tmp_path / "some-1.0.dist-info").mkdir()
    (tmp_path / "some-1.0.dist-info/RECORD").write_text(f"some-1.0.dist-info/{file},,\n")
    with pytest.raises(build.BuildError, match=r"some-1\.0"):
        build.keep_licences(tmp_path)


@pytest.mark.parametrize(
    "path", ["some-1.0.dist-info/licenses/LICENSE.txt", "some-1.0.dist-info/COPYING", "some/NOTICE"]
)
def test_a_licence_text_is_kept_wherever_a_package_has_it(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / "some-1.0.dist-info").mkdir(exist_ok=True)
    (tmp_path / path).write_text("do as you like")
    (tmp_path / "some-1.0.dist-info/RECORD").write_text(f"some/__init__.py,,\n{path},,\n")
    build.keep_licences(tmp_path)
    (kept,) = (tmp_path / "licenses/some").iterdir()
    assert (kept.read_text(), kept.name.endswith(Path(path).name)) == ("do as you like", True)


def test_it_has_the_service_models_that_the_source_makes_clients_of(artifact: Path, source: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in source.rglob("*.py"))
    used = set(re.findall(r'\bclient\(\s*"([a-z0-9-]+)"', text))
    left = {path.name for path in (artifact / "botocore/data").iterdir() if path.is_dir()}
    assert left == used


def test_two_builds_from_scratch_are_the_same_bytes(artifact: Path, source: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere"
    build.build(again, source=source, compiler=COMPILER, prepared=tmp_path / "packages")
    assert contents(again) == contents(artifact)
    assert {int(path.stat().st_mtime) for path in again.rglob("*")} == {build.MODIFIED}


def test_what_was_in_the_folder_before_is_gone(tmp_path: Path) -> None:
    (tmp_path / "stale.py").touch()
    build.build(tmp_path, source=tmp_path / "no-source", compiler=COMPILER)
    assert not (tmp_path / "stale.py").exists()


@needs_compiler
def test_bytecode_is_valid_by_the_digest_of_its_source_and_names_the_deployed_file(artifact: Path) -> None:
    assert COMPILER
    described = json.loads(run(COMPILER.python, DESCRIBE, artifact))
    assert described == {"magic": True, "flags": 0b11, "source": True, "file": "/var/task/six.py"}
    assert len(list(artifact.rglob("*.pyc"))) == len(list(artifact.rglob("*.py")))


def test_a_python_that_does_not_run_or_is_another_version_is_passed_over(tmp_path: Path) -> None:
    shim, other, right = tmp_path / "shim", tmp_path / "other", tmp_path / "right"
    for path, script in ((shim, "exit 127"), (other, "echo CPython 3.12.1"), (right, "echo CPython 3.13.9")):
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    candidates = [str(tmp_path / "absent"), str(shim), str(other)]
    assert build.find_compiler(candidates) is None
    assert build.find_compiler([*candidates, str(right)]) == build.Compiler(str(right), "3.13.9")


@pytest.mark.parametrize(
    ("left_out", "complaint"),
    [
        (build.LeftOut(("codebuild",), ("nothing/*",)), r"'nothing/\*' .* matches nothing"),
        (build.LeftOut(("codebuidl",), ()), "no service 'codebuidl'"),
    ],
)
def test_an_entry_of_the_list_that_hits_nothing_is_refused(
    tmp_path: Path, left_out: build.LeftOut, complaint: str
) -> None:
    (tmp_path / "botocore/data/codebuild").mkdir(parents=True)
    with pytest.raises(build.BuildError, match=complaint):
        build.prune(tmp_path, left_out)


def test_documentation_goes_and_a_member_of_that_name_stays() -> None:
    shape = {"documentation": "<p>text</p>", "members": {"documentation": {"shape": "Text", "documentation": "x"}}}
    assert build.without_documentation(shape) == {"members": {"documentation": {"shape": "Text"}}}


def test_requirements_are_what_the_lock_says() -> None:
    arguments = ("export", "--quiet", "--frozen", "--only-group", "runtime", "--no-emit-project", "--no-header")
    environ = bootstrap.uv_environ(bootstrap.PipSettings(), {})
    exported = bootstrap.run_uv((*arguments, "--no-annotate"), environ)
    assert build.REQUIREMENTS.read_text(encoding="utf-8") == exported, "run `make lock`"


def test_the_lock_names_no_index_but_pypi() -> None:
    addresses = re.findall(r'"(https?://[^/"]+)', (bootstrap.ROOT / "uv.lock").read_text(encoding="utf-8"))
    assert set(addresses) == {"https://pypi.org", "https://files.pythonhosted.org"}
