"""A small repository that is ready to be released: a pipeline of six stages that "ran", with its lock; no data, no LightGBM.

The digests in the lock are DVC's own, so that what a release checks is compared with DVC and not with itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from flywheel.errors import ConfigError
from flywheel.evaluation.evidence import IN_WORDS
from flywheel.evaluation.gate import decide
from flywheel.evaluation.settings import Gate
from flywheel.git import BOT
from flywheel.model.contract import read_contracts
from flywheel.params import from_yaml, parse
from flywheel.release import links

ROOT = Path(__file__).parents[3]
NAME = "planted"
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
EVENTS, FEATURES = "1" * 32 + ".dir", "2" * 32 + ".dir"
PARAMS: dict[str, Any] = {
    "clock": {"as_of": "2030-02-01"},
    "project": {"name": NAME, "code": "src/rooms", "event": "late", "derive": None},
    "train": {"trees": 3, "rate": 1.0, "stop": {"rounds": 5, "days": 2}},
    "gate": from_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))["gate"],
}
GATE_CODE = [
    dep
    for dep in from_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["gate"]["deps"]
    if dep.startswith("src/")
]
IN_GIT = {"cache": False}
CONTRACT: dict[str, Any] = {
    "version": "1.0",
    "inputs": {"size": {"type": "number", "required": True, "min": 1.0, "max": 9.0}},
    "output": {"type": "probability", "min": 0.01, "max": 0.99},
}
MEASURED = ("metrics", "cohorts", "behaviour", "leaks", "robustness", "cost")  # what evaluate writes and gate reads
PIPELINE: dict[str, Any] = {
    "collect": {
        "cmd": "collect",
        "deps": ["src/collect.py"],
        "params": ["clock"],
        "outs": [{"data/events": {"persist": True}}],
    },
    "validate": {"cmd": "validate", "deps": ["data/events"], "outs": [{"reports/quality.json": IN_GIT}]},
    "featurize": {"cmd": "featurize", "deps": ["data/events", "${project.code}"], "outs": ["data/features"]},
    "train": {
        "cmd": "train",
        "deps": ["models/champion", "data/features", "src/train.py"],
        "params": ["clock", "train.trees", "train.rate", {"params.yaml": ["train.stop"]}],
        "outs": [{"models/candidate": IN_GIT}],
    },
    "evaluate": {
        "cmd": "evaluate",
        "deps": ["models/candidate", "models/champion", "data/features"],
        "params": ["clock"],
        "outs": [{path: IN_GIT} for path in [*(f"reports/{name}.json" for name in MEASURED[1:]), "reports/curves"]],
        "metrics": [{"reports/metrics.json": IN_GIT}],
    },
    "gate": {
        "cmd": "gate",
        "deps": ["models/candidate", "models/champion", *(f"reports/{name}.json" for name in MEASURED), *GATE_CODE],
        "params": ["gate"],
        "outs": [{"reports/decision.json": IN_GIT}],
    },
}


def compose(_: str, conf: Path) -> dict[str, Any]:
    """A composition that is simpler than Hydra's: the files of conf/, one after the other."""
    found: dict[str, Any] = {}
    try:
        for path in sorted(conf.rglob("*.yaml")):
            found |= from_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"conf/ cannot be composed: {error}") from None
    return found


def git(*arguments: str) -> str:
    """What Git prints in the current folder."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def commit(message: str = "a change") -> str:
    """Commit everything; returns the commit."""
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", message)
    return git("rev-parse", "HEAD")


def write(path: str, value: Any) -> None:
    """Write a text, or a value as JSON, or as YAML where the name says so."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(value, str):
        value = yaml.dump(value, Dumper=DUMPER) if place.suffix in (".yaml", ".lock") else json.dumps(value, indent=1)
    place.write_text(value, encoding="utf-8")


def edit(path: str, change: Callable[[Any], object]) -> None:
    """Change a JSON or YAML file in place."""
    load = json.loads if path.endswith(".json") else from_yaml
    value = load(Path(path).read_text(encoding="utf-8"))
    change(value)
    write(path, value)


def dvc_md5(path: Path) -> str:
    """The digest that DVC gives a file or a folder."""
    if path.is_file():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    tree = Tree()
    for file in path.rglob("*"):
        if file.is_file():
            info = HashInfo("md5", hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest())
            tree.add(file.relative_to(path).parts, Meta(), info)
    tree.digest()
    return str(tree.hash_info.value)


def run_pipeline() -> None:
    """Write `dvc.lock` for what is in the folder, as a run would."""
    params = from_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    data = {"data/events": EVENTS, "data/features": FEATURES}
    stages = {}
    for name, stage in from_yaml(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"].items():
        outs = [one if isinstance(one, str) else next(iter(one)) for one in [*stage["outs"], *stage.get("metrics", [])]]
        keys = [
            key for one in stage.get("params", []) for key in ([one] if isinstance(one, str) else one["params.yaml"])
        ]
        values = {}
        for key in keys:
            value: Any = params
            for part in key.split("."):
                value = value[part]
            values[key] = value
        deps = [path.replace("${project.code}", params["project"]["code"]) for path in stage.get("deps", [])]
        listed = {"deps": deps, "outs": outs}
        stages[name] = {"cmd": stage["cmd"]} | {
            kind: [{"path": path, "hash": "md5", "md5": data.get(path) or dvc_md5(Path(path))} for path in paths]
            for kind, paths in listed.items()
        }
        if values:
            stages[name]["params"] = {"params.yaml": values}
    write("dvc.lock", {"schema": "2.0", "stages": stages})


def write_model(folder: str, trees: str, version: str | None, contract: dict[str, Any] | None = CONTRACT) -> str:
    """Write a model whose card describes it; returns its identity, computed here by hand. An older one has no contract."""
    contents = {"calibration.json": '{"x": [0.0], "y": [0.5]}\n', "model.txt": trees}
    identity = hashlib.sha256("".join(f"{name}\0{text}\0" for name, text in contents.items()).encode()).hexdigest()[:16]
    contents |= {"contract.json": json.dumps(contract, indent=1)} if contract else {}
    Path(folder, "contract.json").unlink(missing_ok=True)
    card = {
        "version": version,
        "as_of": "2030-02-01",
        "training_window": ["2029-01-01", "2030-01-01"],
        "labels_known_before": "2030-01-01",
        "positive_share": 0.2,
        "importance": {"size": 1.0},
        "features": {"numeric": ["size"], "categorical": {}},
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in contents.items()},
    }
    for name, value in [*contents.items(), ("card.json", card)]:
        write(f"{folder}/{name}", value)
    return identity


def measure(candidate: str, champion: str | None, version: str | None, gain: tuple[float, float]) -> None:
    """Write evidence in which the candidate gains so much (ends of the interval) in every metric, and decide on it."""
    value = {"value": 0.02, "low": 0.01, "high": 0.03}
    low, high = gain
    more, less = ({"value": (a + b) / 2, "low": a, "high": b} for a, b in ((low, high), (-high, -low)))
    change = {name: less if name in ("log_loss", "brier", "ece") else more for name in IN_WORDS}
    both = {"champion": change, "served": change}
    window = {
        "start": "2030-01-04",
        "end": "2030-02-01",
        "predictions": 9000,
        "rows": 9000,
        "days": 28,
        "positives": 3000,
    }
    models = {name: dict.fromkeys(IN_WORDS, value) for name in ("candidate", "champion", "served", "base_rate")}
    point = {name: dict.fromkeys(IN_WORDS, 0.5) for name in models}
    metrics: dict[str, Any] = {
        "about": {
            "candidate": {"as_of": "2030-02-01", "identity": candidate},
            "champion": {"version": version, "identity": champion, "why_not_compared": None},
            "confidence": 0.95,
            "block_days": {"intervals": 3, "check": 7},
            "kind": "change",
            "recipe": "0123456789ab",
            "window": window,
            "left_out": [],
            "why_as_it_is": None,
            "cohorts": ["place"],
            "behaviours": [],
            "inputs": ["size"],
        },
        **models,
        "difference": both,
        "check": both,
        "windows": [window | point | {"difference": both, "check": both, "agreement": None}],
        "as_it_is": None,
        "gaps": {"place": {"cohorts": ["north"], "gaps": {}}},
        "calibration": {},
        "flips": dict.fromkeys(("to_alert", "to_alert_right", "to_quiet", "to_quiet_right"), 1),
    }
    north = {
        "rows": 9000,
        "days": 28,
        "positives": 3000,
        **point,
        "difference": both,
        "calibration": {},
        "flips": dict.fromkeys(("to_alert", "to_alert_right", "to_quiet", "to_quiet_right"), 1),
        "p_worse": {name: dict.fromkeys(IN_WORDS, 0.5) for name in ("champion", "served")},
    }
    if champion is None:
        del metrics["champion"]
    write("reports/metrics.json", metrics)
    write("reports/cohorts.json", {"place": {"north": north}})
    write("reports/behaviour.json", {})
    probed = {
        "max_auc": 0.98,
        "max_candidate_auc": 0.99,
        "accepted": {},
        "rows": {"earlier": 4500, "later": 4500},
        "later_from": "2030-01-18",
        "why_not_measured": None,
        "served_at": {"auc": 0.5, "part": "time of day"},
        "inputs": {"size": {"auc": 0.6, "one_class": None, "hints": []}},
    }
    write("reports/leaks.json", probed)
    answer = {"rows": 900, "flipped": 0.01, "largest_jump": 0.1, "no_score": 0}
    write("reports/robustness.json", {"rows": 1000, "shift": 0.1, "inputs": {"size": {"perturbed": answer}}})
    sizes = [{"identity": name, "bytes": 9000, "trees": 30} if name else None for name in (candidate, champion)]
    cost = {"max_ratio": 3.0, "candidate": sizes[0], "champion": sizes[1], "why_not_measured": None, "slower": []}
    write("reports/cost.json", cost)
    decide_now()


def decide_now() -> None:
    """What stage `gate` does: decide on the evidence that is there."""
    evidence = [json.loads(Path(f"reports/{name}.json").read_text()) for name in MEASURED]
    gate = from_yaml(Path("params.yaml").read_text(encoding="utf-8"))["gate"]
    write("reports/decision.json", decide(*evidence, read_contracts(), parse(Gate, gate)))


WIN, LOSS, UNCLEAR = (10.0, 12.0), (-12.0, -10.0), (-10.0, 10.0)


def retrain(
    gain: tuple[float, float] = WIN,
    trees: str = "new\n",
    version: str | None = "v0.1.0",
    contract: dict[str, Any] | None = CONTRACT,
) -> None:
    """A whole turn without a commit: another candidate, evidence, decision and lock; the champion stays as it is."""
    candidate = write_model("models/candidate", trees, None, contract)
    has_one = Path("models/champion/model.txt").exists()
    champion = (
        hashlib.sha256(
            b"".join(
                n.encode() + b"\0" + Path("models/champion", n).read_bytes() + b"\0"
                for n in ("calibration.json", "model.txt")
            )
        ).hexdigest()[:16]
        if has_one
        else None
    )
    measure(candidate, champion, version if has_one else None, gain)
    run_pipeline()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it is copied for each test: one commit on `main` whose candidate beats the champion v0.1.0."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in BOT.items():
            patch.setenv(name, value)
        for dep in GATE_CODE:
            Path(dep).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / dep, dep)
        write("src/collect.py", "collect\n")
        write("src/train.py", "train\n")
        write("src/rooms/one.py", "one\n")
        write("src/rooms/größe/two.py", "two\n")
        write("dvc.yaml", {"stages": PIPELINE})
        write("conf/config.yaml", {key: PARAMS[key] for key in PARAMS if key != "train"})
        write("conf/model/small.yaml", {"train": PARAMS["train"]})
        write("params.yaml", PARAMS)
        write_model("models/champion", "old\n", "v0.1.0")
        days = {"n": 31, "first": "2030-01-01", "last": "2030-01-31"}
        totals = {"rows": 9, "rejected": 0, "rejected_share": 0.0, "duplicates": 0, "rules": {}}
        quality = {"as_of": "2030-02-01", "total": totals | {"days": days}, "recent": totals | {"days": 7}}
        write("reports/quality.json", quality | {"unusual_volume": [], "days": []})
        write("reports/curves/candidate/roc.json", [{"fall_out": 0.1, "recall": 0.5}])
        write("reports/curves/served/roc.json", [])
        retrain()
        git("init", "--quiet", "--initial-branch", "main")
        commit("Merge pull request #7: a better model")
        git("gc", "--quiet")  # one file instead of one for each object: it is copied for each test
    return folder


@pytest.fixture
def repository(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own, as the current folder."""
    shutil.copytree(template, tmp_path / "repository")
    monkeypatch.setattr(
        links, "HERE", template / "src/flywheel"
    )  # the repository has the gate, and no other code of ours
    monkeypatch.chdir(tmp_path / "repository")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in BOT.items():
        monkeypatch.setenv(name, value)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "repository"
