"""What a release checks before it tags is what the audit checks afterwards: an edit after the run is seen by both."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.params import from_yaml
from flywheel.release import links, serve
from flywheel.release.audit import audit
from flywheel.release.commits import head
from flywheel.release.links import decides_like, is_ours
from tests.unit.release.conftest import (
    CONTRACT,
    EVENTS,
    LOSS,
    NAME,
    WIN,
    commit,
    compose,
    decide_now,
    edit,
    git,
    measure,
    retrain,
    run_pipeline,
    write,
    write_model,
)

pytestmark = pytest.mark.usefixtures("repository")
LOCK, METRICS, DECISION, CARD = (
    "dvc.lock",
    "reports/metrics.json",
    "reports/decision.json",
    "models/candidate/card.json",
)
CHAMPION = "models/champion/card.json"


def broken(version: str | None = None) -> dict[str, str]:
    """The links of a version that do not hold, with what the audit found."""
    return {link.name: link.found for link in audit(NAME, version, compose) if not link.holds}


def append(path: str, text: str = "#\n") -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)


def stage(name: str, change: Callable[[dict], object], path: str = "dvc.yaml") -> None:
    """Change one stage in `dvc.yaml` or `dvc.lock`."""
    edit(path, lambda value: change(value["stages"][name]))


def locked(name: str, change: Callable[[dict], object]) -> None:
    stage(name, change, LOCK)


def better_metrics() -> None:
    """Edit the evidence, and let the gate decide on it again: all reports fit each other."""
    edit(METRICS, lambda m: m["difference"]["champion"]["auc"].update(value=99.0, low=98.0, high=100.0))
    decide_now()


def another_reading_of_the_data() -> None:
    locked("featurize", lambda s: s["deps"][0].update(md5="9" * 32 + ".dir"))


def hidden_edit_of_the_card() -> None:
    """Edit the card, and put the digest into the lock where training made it, not where it was read."""
    write_model("models/candidate", "new\n", "v9.9.9")
    before = Path(LOCK).read_text()
    run_pipeline()
    [made] = [out["md5"] for out in json_lock()["train"]["outs"]]
    write(LOCK, before)
    locked("train", lambda s: s["outs"][0].update(md5=made))


def json_lock() -> dict:
    return from_yaml(Path(LOCK).read_text())["stages"]


def break_it(contract: dict) -> None:
    """Another input in the place of the one that there is."""
    contract["inputs"] = {"weight": contract["inputs"].pop("size")}


EDITS: dict[str, tuple[Callable[[], object], str]] = {
    "code": (lambda: append("src/train.py"), "commit"),
    "code in a folder": (lambda: append("src/rooms/größe/two.py"), "commit"),
    "a new file in a folder of code": (lambda: write("src/rooms/three.py", "three\n"), "commit"),
    "a deleted file": (lambda: Path("src/rooms/one.py").unlink(), "commit"),
    "the gate's own code": (lambda: append("src/flywheel/evaluation/gate.py"), "commit"),
    "conf": (lambda: edit("conf/model/small.yaml", lambda v: v["train"].update(trees=4)), "params"),
    "conf that nothing reads yet": (lambda: edit("conf/config.yaml", lambda v: v.update(more=1)), "params"),
    "conf that is deleted": (lambda: Path("conf/model/small.yaml").unlink(), "params"),
    "params": (lambda: edit("params.yaml", lambda v: v["train"].update(trees=4)), "params"),
    "another type": (lambda: edit("params.yaml", lambda v: v["train"].update(rate=1)), "params"),
    "params that the lock hides": (
        lambda: (
            edit("params.yaml", lambda v: v["train"].update(trees=4)),
            edit("conf/model/small.yaml", lambda v: v["train"].update(trees=4)),
        ),
        "params",
    ),
    "the lock's params": (
        lambda: locked("train", lambda s: s["params"]["params.yaml"].update({"train.trees": 4})),
        "params",
    ),
    "a parameter that did not count": (lambda: stage("evaluate", lambda s: s["params"].append("train")), "params"),
    "a parameter too many": (lambda: locked("gate", lambda s: s["params"]["params.yaml"].update(clock=1)), "params"),
    "a nested parameter": (lambda: edit("params.yaml", lambda v: v["train"]["stop"].update(days=3)), "params"),
    "the candidate": (lambda: append("models/candidate/model.txt"), "model"),
    "the card": (lambda: edit(CARD, lambda v: v.update(positive_share=0.1)), "commit"),
    "the card and its digest": (hidden_edit_of_the_card, "commit"),
    "the card's digests": (lambda: edit(CARD, lambda v: v["sha256"].update({"model.txt": "0"})), "model"),
    "the candidate's contract": (lambda: edit("models/candidate/contract.json", break_it), "model"),
    "no contract of the candidate": (lambda: Path("models/candidate/contract.json").unlink(), "model"),
    "the champion's contract": (lambda: edit("models/champion/contract.json", break_it), "champion"),
    "no contract of the champion": (lambda: Path("models/champion/contract.json").unlink(), "champion"),
    "the champion": (lambda: append("models/champion/model.txt"), "champion"),
    "the champion's card": (lambda: edit(CHAMPION, lambda v: v.update(positive_share=0.1)), "commit"),
    "the champion's version": (lambda: edit(CHAMPION, lambda v: v.update(version="v0.0.9")), "champion"),
    "the champion's digests": (lambda: edit(CHAMPION, lambda v: v["sha256"].update({"model.txt": "0"})), "champion"),
    "a new champion": (lambda: write_model("models/champion", "bad\n", "v0.1.0"), "champion"),
    "evidence, and the gate again": (better_metrics, "commit"),
    "evidence about another candidate": (
        lambda: edit(METRICS, lambda m: m["about"]["candidate"].update(identity="0" * 16)),
        "model",
    ),
    "evidence alone": (
        lambda: edit(METRICS, lambda m: m["difference"]["champion"]["auc"].update(low=-9.0)),
        "decision",
    ),
    "a decision": (lambda: edit(DECISION, lambda v: v["rules"].pop()), "decision"),
    "the rules of the gate": (lambda: edit("params.yaml", lambda v: v["gate"].update(min_days=99)), "decision"),
    "a curve": (lambda: append("reports/curves/served/roc.json", " "), "commit"),
    "one curve more": (lambda: write("reports/curves/champion/roc.json", "[]"), "commit"),
    "one curve less": (lambda: Path("reports/curves/served/roc.json").unlink(), "commit"),
    "quality": (lambda: edit("reports/quality.json", lambda v: v["total"].update(rejected=1)), "commit"),
    "days after the clock": (
        lambda: edit("reports/quality.json", lambda v: v["total"]["days"].update(last="2030-02-01")),
        "feedback",
    ),
    "no days": (lambda: edit("reports/quality.json", lambda v: v["total"]["days"].update(n=0)), "feedback"),
    "no last day": (lambda: edit("reports/quality.json", lambda v: v["total"]["days"].update(last=None)), "feedback"),
    "the clock": (lambda: edit("params.yaml", lambda v: v["clock"].update(as_of="2030-02-02")), "feedback"),
    "the gate as a number": (lambda: edit("params.yaml", lambda v: v.update(gate=5)), "decision"),
    "the gate as nothing": (lambda: edit("params.yaml", lambda v: v.update(gate=None)), "decision"),
    "the clock as a number": (lambda: edit("params.yaml", lambda v: v.update(clock=5)), "feedback"),
    "no clock": (lambda: edit("params.yaml", lambda v: v.pop("clock")), "feedback"),
    "a command": (lambda: stage("train", lambda s: s.update(cmd="train --better")), "commit"),
    "an input": (lambda: stage("train", lambda s: s["deps"].append("src/collect.py")), "commit"),
    "an input less": (lambda: stage("train", lambda s: s["deps"].remove("src/train.py")), "commit"),
    "an output": (lambda: stage("train", lambda s: s["outs"].append("data/more")), "commit"),
    "an output less": (lambda: stage("evaluate", lambda s: s["outs"].pop()), "commit"),
    "a stage": (
        lambda: edit("dvc.yaml", lambda v: v["stages"].update(more={"cmd": "more", "outs": ["data/more"]})),
        "commit",
    ),
    "a stage that never ran": (lambda: edit(LOCK, lambda v: v["stages"].pop("train")), "commit"),
    "other data than was made": (another_reading_of_the_data, "commit"),
    "data that nothing made": (
        lambda: locked("collect", lambda s: s["outs"][0].update(md5="9" * 32 + ".dir")),
        "commit",
    ),
    "no data": (lambda: edit("dvc.yaml", lambda v: v["stages"].pop("collect")), "data"),
    "an output of data that is said to be in Git": (
        lambda: stage("featurize", lambda s: s.update(outs=[{"data/features": {"cache": False}}])),
        "commit",
    ),
    "loops in dvc.yaml": (lambda: stage("train", lambda s: s.update(foreach=["a"], do={})), "commit"),
    "a place without its value": (lambda: edit("params.yaml", lambda v: v["project"].pop("code")), "commit"),
    "a number as an input": (lambda: stage("gate", lambda s: s["deps"].append(1)), "decision"),
    "a number as an output": (lambda: stage("gate", lambda s: s["outs"].append(1)), "commit"),
    "a number as a parameter": (lambda: stage("gate", lambda s: s["params"].append(1)), "commit"),
    "a file of parameters too many": (
        lambda: locked("gate", lambda s: s["params"].update({"other.yaml": {"a": 1}})),
        "params",
    ),
    "no stages": (lambda: write("dvc.yaml", {"stages": {}}), "commit"),
    "dvc.yaml as a list": (lambda: write("dvc.yaml", ["stages"]), "commit"),
    "dvc.yaml that is not YAML": (lambda: write("dvc.yaml", "a: ["), "commit"),
    "no gate": (lambda: edit("dvc.yaml", lambda v: v["stages"].pop("gate")), "decision"),
    "a lock as a list": (lambda: write(LOCK, ["stages"]), "commit"),
    "an entry of the lock without a digest": (lambda: locked("train", lambda s: s["outs"][0].pop("md5")), "commit"),
    "a number as the digest of data": (lambda: locked("collect", lambda s: s["outs"][0].update(md5=5)), "commit"),
    "a number as a path": (lambda: locked("train", lambda s: s["outs"][0].update(path=5)), "commit"),
    "params of the lock as a list": (
        lambda: locked("train", lambda s: s["params"].update({"params.yaml": []})),
        "commit",
    ),
    "params of the lock as a text": (
        lambda: locked("train", lambda s: s["params"].update({"params.yaml": "x"})),
        "commit",
    ),
    "params as a list": (lambda: write("params.yaml", ["clock"]), "evidence"),
    "conf that does not compose": (lambda: write("conf/config.yaml", "a: ["), "params"),
    "metrics without a key": (lambda: edit(METRICS, lambda m: m["about"].pop("champion")), "evidence"),
    "metrics {}": (lambda: write(METRICS, {}), "evidence"),
    "a decision []": (lambda: write(DECISION, []), "evidence"),
    "a decision that is not JSON": (lambda: write(DECISION, "{"), "evidence"),
    "a card without its version": (lambda: edit(CARD, lambda v: v.pop("version")), "evidence"),
    "a champion's card without its version": (lambda: edit(CHAMPION, lambda v: v.pop("version")), "champion"),
    "quality without days": (lambda: edit("reports/quality.json", lambda v: v["total"].pop("days")), "evidence"),
    "no candidate": (lambda: Path("models/candidate/model.txt").unlink(), "model"),
    "no lock": (lambda: Path(LOCK).unlink(), "commit"),
    "no metrics": (lambda: Path(METRICS).unlink(), "evidence"),
}


@pytest.mark.parametrize("what", EDITS)
def test_what_is_edited_after_the_run_is_neither_released_nor_audited_as_whole(what: str) -> None:
    """The release names the link and makes no tag; the audit of a tag made by hand on that commit names the same one."""
    change, link = EDITS[what]
    change()
    commit(what)
    with pytest.raises(DataError) as refused:
        serve.release(NAME, compose)
    assert git("tag") == ""
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    found = broken("v0.2.0")
    assert link in found
    assert found[link] in str(refused.value)


def test_what_holds_is_released_and_audited_as_whole() -> None:
    """Two annotated tags on the commit; every link of the chain holds and says what it found."""
    assert serve.release(NAME, compose) == "v0.2.0"
    assert set(git("tag").split()) == {f"{NAME}@v0.2.0", f"{NAME}#prod#1"}
    found = audit(NAME, None, compose)
    assert [link.name for link in found if not link.holds] == []
    said = {link.name: link.found for link in found}
    assert list(said) == [
        "release", "main", "decision", "gate", "model", "champion", "pull request", "commit", "data", "params", "feedback",
    ]  # fmt: skip
    assert "served as prod #1" in said["release"]
    assert said["decision"].startswith("pass as of 2030-02-01")
    assert said["decision"].endswith("against v0.1.0")
    assert said["champion"] == "v0.1.0, which no tag here names"
    assert said["pull request"] == "#7, one commit, without a merge: Merge pull request #7: a better model"
    assert said["commit"].startswith("6 stages of dvc.lock, with the code, models and reports of ")
    assert said["params"] == "4 sections, as conf/ has them and as the run used them"
    assert said["data"] == f"data/events {EVENTS[:10]}, data/features {'2' * 10}"
    assert said["feedback"] == "31 days, 2030-01-01 to 2030-01-31, known before 2030-02-01"


def test_a_merge_is_told_with_the_commit_that_it_brought() -> None:
    """Its second parent; a subject without a number gives none."""
    git("checkout", "--quiet", "-b", "other")
    write("README.md", "other\n")
    merged = commit()
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "-m", "a merge", "other")
    serve.release(NAME, compose)
    [told] = [link.found for link in audit(NAME, None, compose) if link.name == "pull request"]
    assert told == f"merged from {merged[:10]}: a merge"


@pytest.mark.parametrize(("edited", "told"), [(3, ""), (5, "; and 2 more")])
def test_of_many_problems_three_are_named_and_the_others_counted(edited: int, told: str) -> None:
    """A table with a line for each file would not be read."""
    files = ["src/train.py", "src/collect.py", "src/rooms/one.py", "models/champion/card.json", "reports/quality.json"]
    for path in files[:edited]:
        append(path, "\n")
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert re.fullmatch(rf"([^;]+ is not what [^;]+; ){{2}}[^;]+ is not what [^;]+{told}", broken("v0.2.0")["commit"])


@pytest.mark.parametrize("value", [None, 5])
def test_a_place_that_params_do_not_fill_is_named(value: object) -> None:
    """Without its value the input would be another path, and the problem would be told of that one."""
    edit("params.yaml", lambda v: v["project"].update(code=value))
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert broken("v0.2.0")["commit"] == "dvc.yaml names ${project.code}, which params.yaml does not have."


def test_all_parameters_that_differ_are_named() -> None:
    """Those that another stage ran with, and those that conf/ says otherwise."""
    edit("params.yaml", lambda v: v["train"].update(trees=4))
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert broken("v0.2.0") == {
        "params": "train.trees in params.yaml is not what train ran with; conf/ says another train than params.yaml"
    }


@pytest.mark.parametrize(
    ("tags", "link"),
    [
        (["{}@v0.2.0"], "release"),
        (["-a {}@v0.2.0 -m v0.2.0"], "release"),
        (["-a {}@v0.2.0 -m", "v0.3.0: gate: pass, as of 2030-02-01"], "release"),
        (["-a {}@v0.2.0 -m", "v0.2.0 to prod: gate: pass, as of 2030-02-01"], "release"),
        (["-a {}@v0.2.0 -m", "v0.2.0: gate: pass, as of 2030-02-01 (really)"], "release"),
        (["-a {}@v0.2.0 -m", "v0.2.0: gate: pass, as of 2030-01-31"], "gate"),
        (["-a {}@v0.2.0 -m", "v0.2.0: gate: fail, as of 2030-02-01; forced: x"], "gate"),
        (["-a {}@v0.2.0 -m", "v0.2.0: gate: pass, as of 2030-02-01; forced: x"], "gate"),
        (["-a {}@v0.2.0 -m", "v0.2.0: gate: pass, as of 2030-02-01; accepted: x"], "gate"),
    ],
)
def test_a_version_tag_that_no_release_made_is_seen(tags: list[str], link: str) -> None:
    """Lightweight, with other words, about another version, or with another verdict than the decision's."""
    first, *message = tags
    git("tag", *first.format(NAME).split(), *message)
    assert list(broken("v0.2.0")) == [link]


@pytest.mark.parametrize(
    "message", [None, "to prod", "v0.3.0 to prod: gate: pass, as of 2030-02-01", "rollback to v0.1.0: x"]
)
def test_a_prod_tag_that_no_release_made_is_seen(message: str | None) -> None:
    """Also where the tag of the version is in order."""
    serve.release(NAME, compose)
    git("tag", *(["-a", "-m", message] if message else []), f"{NAME}#prod#2")
    assert f"{NAME}#prod#2" in broken("v0.2.0")["release"]


def test_a_version_is_on_main() -> None:
    """A commit on another branch is not released; tagged by hand its audit fails, and holds once it is merged."""
    git("checkout", "--quiet", "-b", "other")
    write("README.md", "other\n")
    commit()
    with pytest.raises(DataError, match=r"main: \w+ is not on main\. Merge it first\."):
        serve.release(NAME, compose)
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert list(broken("v0.2.0")) == ["main"]
    git("branch", "--force", "main", "other")
    assert broken("v0.2.0") == {}


def test_main_is_the_one_of_origin_where_there_is_one(tmp_path: Path) -> None:
    """What is only on the own main is not merged yet."""
    git("init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    git("remote", "add", "origin", str(tmp_path / "origin.git"))
    git("push", "--quiet", "origin", "main")
    write("README.md", "other\n")
    commit()
    with pytest.raises(DataError, match=r"is not on origin/main\. Merge it and push \(git push\) first"):
        serve.release(NAME, compose)
    git("push", "--quiet", "origin", "main")
    assert serve.release(NAME, compose) == "v0.2.0"
    assert broken() == {}


def test_a_shallow_clone_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not know what is on main before its one commit."""
    first = git("rev-parse", "HEAD")
    write("README.md", "other\n")
    commit()
    git("clone", "--quiet", "--depth", "1", f"file://{Path.cwd()}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    git("fetch", "--quiet", "--depth", "1", "origin", first)
    git("checkout", "--quiet", first)
    with pytest.raises(DataError, match="git fetch --unshallow --tags"):
        serve.release(NAME, compose)


def test_without_a_branch_main_the_way_out_is_named() -> None:
    """It is called master here, and the head is detached."""
    git("branch", "--move", "master")
    git("checkout", "--quiet", "--detach")
    with pytest.raises(DataError, match="git branch -m main"):
        serve.release(NAME, compose)


def test_a_detached_head_on_main_is_released() -> None:
    """As a workflow checks it out."""
    git("checkout", "--quiet", "--detach")
    assert serve.release(NAME, compose) == "v0.2.0"


def test_a_repository_without_a_commit_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a folder without a repository as well, with its own exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match="not in a Git repository"):
        serve.release(NAME, compose)
    git("init", "--quiet")
    with pytest.raises(DataError, match="no commit yet"):
        serve.release(NAME, compose)
    with pytest.raises(ConfigError, match="released versions: none"):
        audit(NAME, None, compose)


def next_turn(gain: tuple[float, float], trees: str) -> None:
    """What a tick does after a release: what serves becomes the champion, and another candidate is compared with it."""
    from flywheel.release.champion import take_over_champion

    version = take_over_champion(NAME)
    retrain(gain, trees, version)
    commit("Merge pull request #8: the next one")


def test_a_chain_of_releases_and_rollbacks_holds() -> None:
    """Each version was compared with what served before it, also after a rollback."""
    assert serve.release(NAME, compose) == "v0.2.0"
    next_turn(LOSS, "worse\n")
    assert serve.release(NAME, compose, "the feed was down") == "v0.3.0"
    assert serve.rollback(NAME, None, "alerts doubled") == ("v0.3.0", "v0.2.0")
    next_turn(WIN, "better\n")
    assert serve.release(NAME, compose) == "v0.4.0"
    for version in ("v0.2.0", "v0.3.0", "v0.4.0"):
        assert broken(version) == {}
    said = {
        version: {link.name: link.found for link in audit(NAME, version, compose)}
        for version in ("v0.2.0", "v0.3.0", "v0.4.0")
    }
    assert "served as prod #1, #3" in said["v0.2.0"]["release"]
    assert said["v0.3.0"]["gate"] == "fail; forced: the feed was down"
    assert said["v0.4.0"]["champion"] == "v0.2.0, as it was released"


def test_a_release_made_by_hand_was_compared_with_what_served_before_it() -> None:
    """Its tags have the words of a release; but the decision is from before the last one."""
    serve.release(NAME, compose)
    commit("nothing new")
    git("tag", "-a", f"{NAME}@v0.3.0", "-m", "v0.3.0: gate: pass, as of 2030-02-01")
    git("tag", "-a", f"{NAME}#prod#2", "-m", "v0.3.0 to prod: gate: pass, as of 2030-02-01")
    assert list(broken("v0.3.0")) == ["champion"]
    assert "compared with v0.1.0, but v0.2.0 served" in broken("v0.3.0")["champion"]


def test_an_audit_of_an_unknown_version_names_those_that_there_are() -> None:
    """With what was asked for, which may be a slip of the pen."""
    serve.release(NAME, compose)
    with pytest.raises(ConfigError, match=r"^found 'v9\.9\.9'; released versions: v0\.2\.0\.$"):
        audit(NAME, "v9.9.9", compose)


def test_a_champion_that_was_weakened_does_not_let_a_candidate_through() -> None:
    """The model in models/champion/ must be the one that was released under its version, although all evidence fits it."""
    serve.release(NAME, compose)
    write_model("models/champion", "always 0.9\n", "v0.2.0")
    retrain(trees="hardly better\n", version="v0.2.0")
    commit()
    with pytest.raises(DataError, match=r"champion: models/champion is not the model that was released as v0\.2\.0"):
        serve.release(NAME, compose)


@pytest.mark.parametrize("contract", [CONTRACT | {"inputs": {}}, None], ids=["other", "none"])
def test_a_champion_whose_contract_was_weakened_does_not_let_a_candidate_through(contract: dict | None) -> None:
    """Its trees are those that were released; but a champion that asks for nothing would find no break."""
    serve.release(NAME, compose)
    write_model("models/champion", "new\n", "v0.2.0", contract)
    optional = CONTRACT["inputs"]["size"] | {"required": False}
    of_candidate = {**CONTRACT, "version": "1.1", "inputs": {"size": optional}} if contract else CONTRACT
    retrain(trees="hardly better\n", version="v0.2.0", contract=of_candidate)
    commit()
    with pytest.raises(DataError, match=r"champion: models/champion/contract\.json is not the contract .* v0\.2\.0"):
        serve.release(NAME, compose)


def test_a_release_after_a_champion_from_before_there_were_contracts_is_whole() -> None:
    """Its card stands in for its contract, in the gate and in the audit that decides again."""
    write_model("models/champion", "old\n", "v0.1.0", contract=None)
    retrain()
    commit()
    assert serve.release(NAME, compose) == "v0.2.0"
    assert broken() == {}


def test_a_break_of_the_contract_is_not_released() -> None:
    """The gate says which input, and what to do."""
    other = CONTRACT | {"version": "2.0", "inputs": {"weight": CONTRACT["inputs"]["size"]}}
    retrain(contract=other)
    commit()
    with pytest.raises(
        GateFailed, match=r"the gate says fail(.|\n)*contract: .*size is gone; weight is new .*gate\.breaking"
    ):
        serve.release(NAME, compose)


def test_evidence_about_another_candidate_is_not_released() -> None:
    """The run is whole, and the decision follows from the evidence; only that is about another model."""
    write_model("models/candidate", "another\n", None)
    run_pipeline()
    commit()
    with pytest.raises(DataError, match=r"model: models/candidate is \w+, the decision is about \w+"):
        serve.release(NAME, compose)


def test_a_champion_without_a_version_is_called_so() -> None:
    """As one that was planted before any release."""
    write_model("models/champion", "old\n", None)
    retrain(version=None)
    commit()
    serve.release(NAME, compose)
    [champion] = [link.found for link in audit(NAME, None, compose) if link.name == "champion"]
    assert champion == "one without a version, which no tag here names"


def test_before_the_first_champion_there_is_nothing_to_compare_with() -> None:
    """The candidate beats the served score, and is the first version."""
    for path in list(Path("models/champion").iterdir()):
        path.unlink()
    retrain()
    commit()
    assert serve.release(NAME, compose) == "v0.1.0"
    assert broken() == {}
    [decision] = [link.found for link in audit(NAME, None, compose) if link.name == "decision"]
    assert decision.endswith("against the served score")


def test_a_tag_of_a_closed_gate_without_a_reason_is_seen() -> None:
    """The verdict in the tag is true, and it was neither accepted nor forced."""
    retrain(LOSS)
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: fail, as of 2030-02-01")
    assert broken("v0.2.0") == {"gate": "fail, neither accepted nor forced"}


def test_a_gate_whose_code_is_not_listed_is_not_taken_for_ours() -> None:
    """Its stage names no code of flywheel, so nothing says that it decides as this one does."""
    stage("gate", lambda s: s.update(deps=[dep for dep in s["deps"] if not dep.startswith("src/")]))
    run_pipeline()
    commit()
    assert not decides_like(head())


@pytest.mark.parametrize(("identity", "version"), [("f" * 16, "v0.1.0"), ("f" * 16, None), (None, "v0.1.0")])
def test_evidence_about_a_champion_that_is_not_there_is_seen(identity: str | None, version: str | None) -> None:
    """A model that was never committed proves nothing, with its identity or its version alone neither."""
    decision = json.loads(Path(DECISION).read_text())
    for path in list(Path("models/champion").iterdir()):
        path.unlink()
    measure(decision["candidate"], identity, version, WIN)
    run_pipeline()
    commit()
    with pytest.raises(DataError, match="champion: there was none yet"):
        serve.release(NAME, compose)


def unknown(_: str, __: Path) -> dict:
    """A composition of a flywheel that does not know the conf/."""
    raise ConfigError("train.trees: unknown key")


def test_an_old_release_is_audited_by_a_newer_flywheel(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not decide again what another gate decided, nor compose what it may not know, and says both."""
    serve.release(NAME, compose)
    shutil.copytree(template / "src/flywheel", tmp_path / "newer")
    (tmp_path / "newer/evaluation/gate.py").write_text("another gate\n")
    monkeypatch.setattr(links, "HERE", tmp_path / "newer")
    found = {link.name: link for link in audit(NAME, None, unknown)}
    assert [link.name for link in found.values() if not link.holds] == []
    assert "not decided again" in found["decision"].found
    assert "not composed again" in found["params"].found
    next_turn(WIN, "newer\n")
    with pytest.raises(DataError, match="the flywheel that runs is not the one of this commit"):
        serve.release(NAME, compose)


@pytest.fixture
def own(repository: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the flywheel that runs, to be changed: so far it has the code of the commit."""
    shutil.copytree(template / "src/flywheel", tmp_path / "own")
    monkeypatch.setattr(links, "HERE", tmp_path / "own")
    return tmp_path / "own"


def test_a_flywheel_with_the_code_of_the_commit_is_its_own(own: Path) -> None:
    """Files that are no code, such as what an editor leaves, make no other flywheel."""
    (own / "notes.txt").write_text("here\n")
    write("src/flywheel/other.txt", "there\n")
    commit()
    assert is_ours(head())


@pytest.mark.parametrize("side", ["here", "there"])
def test_code_of_the_gate_that_only_one_side_has_is_another_gate(side: str, own: Path) -> None:
    """It cannot decide again then, and that is no damage."""
    stage("gate", lambda s: s["deps"].append("src/flywheel/more.py"))
    place = own / "more.py" if side == "here" else Path("src/flywheel/more.py")
    place.write_text("more\n")
    commit()
    assert not decides_like(head())


@pytest.mark.parametrize("side", ["here", "there"])
def test_a_file_of_code_that_only_one_side_has_makes_another_flywheel(side: str, own: Path) -> None:
    """All files that both have are equal."""
    place = own / "more.py" if side == "here" else Path("src/flywheel/more.py")
    place.write_text("more\n")
    commit()
    assert not is_ours(head())


def test_what_another_flywheel_cannot_compose_is_still_compared_with_the_run(own: Path) -> None:
    """That conf/ is of another version is no excuse for a parameter that the run did not use."""
    (own / "evaluation/gate.py").write_text("another gate\n")
    edit("params.yaml", lambda v: v["train"].update(trees=4))
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert "params" in [link.name for link in audit(NAME, "v0.2.0", unknown) if not link.holds]


def test_a_lock_without_data_is_told_so() -> None:
    """Also where no stage makes any."""
    edit("dvc.yaml", lambda v: [v["stages"].pop(name) for name in ("collect", "featurize")])
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert broken("v0.2.0")["data"] == "dvc.lock names no data"


@pytest.mark.parametrize("code", ["gate\n", None])
def test_evidence_that_cannot_be_read_is_explained_by_another_flywheel_alone(own: Path, code: str | None) -> None:
    """To check out the tag helps where the code differs, and is no advice where it is the same."""
    if code:
        (own / "evaluation/gate.py").write_text(code)
    write(METRICS, {})
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    assert ("check out the tag" in broken("v0.2.0")["evidence"]) is (code is not None)
