"""`flywheel explain` prints commands that make a released model again: here they are given to a shell, as they stand."""

from __future__ import annotations

import os

import pytest

from tests.conftest import NAME, ROOT, Clone

pytestmark = pytest.mark.slow  # two runs of the pipeline

# `make setup` finds what is installed for this tree, and nothing to install.
INSTALLED = f"ln -s {ROOT / '.venv'} .venv && touch -d 1970-01-02 uv.lock pyproject.toml"


def test_the_commands_make_the_model_again_bit_for_bit(tiny_copy: Clone) -> None:
    """From a tree that has moved on since, without its data; another byte in the model is noticed by the last one."""
    tiny_copy.flywheel("release", "--force", "to see it made again")
    model = tiny_copy.path / "conf/model/fast.yaml"
    model.write_text(model.read_text().replace("num_leaves:", "num_leaves: 5 #"))
    tiny_copy.commit("something else")
    said = tiny_copy.flywheel("explain").stdout
    commands = said.rstrip().split("\n\n")[-1].splitlines()
    assert [command.split()[0] for command in commands] == ["git", "cd", "make", ".venv/bin/flywheel", "git"]
    assert "v0.2.0" in commands[0]
    script = "\n".join([*commands[:2], INSTALLED, *commands[2:]])
    # The environment is shared, so that it is told which code is that of the worktree.
    env = tiny_copy.env | {"PYTHONPATH": "src"}
    done = tiny_copy.run("bash", "-euxo", "pipefail", "-c", script, **env)
    assert "train" in done.stdout
    again = Clone(tiny_copy.path.parent / f"{NAME}-v0.2.0")
    assert (again.path / "models/candidate/model.txt").read_bytes() == (
        tiny_copy.path / "models/candidate/model.txt"
    ).read_bytes()
    assert not os.path.samefile(again.path / "data", tiny_copy.path / "data")
    with (again.path / "models/candidate/model.txt").open("a") as file:
        file.write("\n")
    assert again.run("bash", "-c", commands[-1], check=False).returncode == 1
