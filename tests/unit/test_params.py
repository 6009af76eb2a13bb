"""Params: an error in the configuration names the key, its value, what is allowed and the file to fix."""

from __future__ import annotations

import copy
import datetime as dt
import math
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from flywheel.errors import ConfigError
from flywheel.loop.compose import as_text, compose, where
from flywheel.loop.settings import AllParams
from flywheel.model.settings import Windows
from flywheel.params import load, parse, sections
from flywheel.stages.gate import GateParams
from flywheel.stages.label import LabelParams
from flywheel.stages.train import TrainParams
from flywheel.stages.validate import ValidateParams

pytestmark = pytest.mark.project

ROOT = Path(__file__).parents[2]
LEFT_OUT = object()
METRICS = "'auc', 'average_precision', 'log_loss', 'brier', 'ece', 'precision', 'recall' or 'utility'"


# What the parcels say otherwise than the engine is left out, so that the engine's values are found in the engine's files.
OF_THE_PARCELS = ("project", "source", "contract", "features", "evaluate")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real `conf/`, in which the parcels are the only project."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "conf", tree / "conf", ignore=shutil.ignore_patterns("project"))
    said = yaml.safe_load((ROOT / "tests/project/parcels.yaml").read_text())
    said["evaluate"].pop("bootstrap")
    mine = yaml.safe_dump({name: said[name] for name in OF_THE_PARCELS})
    (tree / "conf/project").mkdir()
    (tree / "conf/project/parcels.yaml").write_text(f"# @package _global_\n{mine}")
    config = tree / "conf/config.yaml"
    text = re.sub(r"(?m)^  - project: .*$", "  - project: parcels", config.read_text())
    config.write_text(re.sub(r"(?m)^  - model: .*$", "  - model: lightgbm", text))
    return tree


@pytest.fixture(autouse=True)
def in_the_tree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`conf/` is looked up from the root of a repository."""
    monkeypatch.chdir(tree)


@cache
def composed() -> dict[str, Any]:
    """The configuration."""
    return compose()


@cache
def fix() -> Callable[[str], str]:
    """What says where to mend a key of the configuration."""
    return where()


def changed(key: str, value: object) -> dict[str, Any]:
    """The configuration with one key (its parts parted by slashes) set to a value, or left out."""
    values = copy.deepcopy(composed())
    *parents, last = key.split("/")
    part: Any = values
    for name in parents:
        part = part[int(name) if isinstance(part, list) else name]
    if value is LEFT_OUT:
        del part[last]
    else:
        part[int(last) if isinstance(part, list) else last] = value
    return values


def complaint(key: str, value: object) -> str:
    """What is said about the real configuration with one key changed."""
    with pytest.raises(ConfigError) as caught:
        parse(AllParams, changed(key, value), fix())
    return str(caught.value)


def test_the_real_configuration_is_accepted() -> None:
    """The start of every test below."""
    found = parse(AllParams, composed())
    assert composed()["gate"]["max_ece"] == found.gate.max_ece


@pytest.mark.parametrize("size", ["full", "tiny"])
@pytest.mark.parametrize("model", ["lightgbm", "fast"])
def test_every_choice_of_the_groups_is_accepted(size: str, model: str) -> None:
    """What `flywheel run size=tiny model=fast` composes."""
    assert parse(AllParams, compose([f"size={size}", f"model={model}"])).model.num_leaves >= 2


@pytest.mark.parametrize(
    ("key", "value", "file"),
    [
        ("gate/max_eec", 0.1, "conf/config.yaml"),
        ("label/accuracy/rating", 0.9, "conf/config.yaml"),
        ("report/today", "2013-05-01", "conf/config.yaml"),
        ("contract/predictions/in_depot/nulable", True, "conf/project/parcels.yaml"),
        ("gates", 1, "conf/config.yaml"),
    ],
)
def test_an_unknown_key_is_named_with_its_value_and_the_file(key: str, value: object, file: str) -> None:
    """A key that nobody reads is a spelling mistake."""
    dotted = key.replace("/", ".")
    expected = f"{dotted}: unknown key (value {value!r}); remove it or correct its spelling. Fix {file}."
    assert expected == complaint(key, value)


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("gate/agreement", "conf/config.yaml"),
        ("evaluate/bootstrap/seed", "conf/config.yaml"),
        ("clock/as_of", "conf/state.yaml"),
        ("evaluate/costs/missed", "conf/project/parcels.yaml"),
        ("monitor", "conf/config.yaml"),
    ],
)
def test_a_missing_key_is_named_with_the_file(key: str, file: str) -> None:
    """The file that has the keys around it."""
    dotted = key.replace("/", ".")
    assert f"{dotted}: the key is missing. Fix {file}." == complaint(key, LEFT_OUT)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("label/min_votes", "2", "valid integer"),
        ("label/min_votes", 2.0, "valid integer"),
        ("label/min_votes", True, "valid integer"),
        ("label/min_votes", None, "valid integer"),
        ("gate/max_ece", "0.08", "valid number"),
        ("gate/change/better/metric", 1, METRICS),
        ("validate", 1, "valid dictionary"),
        ("gate/refresh", ["auc"], "valid dictionary"),
    ],
)
def test_a_value_of_another_type_is_never_converted(key: str, value: object, allowed: str) -> None:
    """A text that looks like a number is not one, and neither is a truth value."""
    found = complaint(key, value)
    assert found.startswith(f"{key.replace('/', '.')}: found {value!r}; ")
    assert found.endswith(" Fix conf/config.yaml.")
    assert allowed in found


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("label/min_votes", 0, "greater than or equal to 1"),
        ("label/accuracy/report", 0.5, "greater than 0.5"),
        ("label/accuracy/report", 1.0, "less than 1"),
        ("validate/max_rejected_share", 1.01, "less than or equal to 1"),
        ("validate/max_rejected_share", -0.01, "greater than or equal to 0"),
        ("validate/low_volume", 1.0, "less than 1"),
        ("validate/high_volume", 1.0, "greater than 1"),
        ("train/earlier_fits", -1, "greater than or equal to 0"),
        ("evaluate/bootstrap/samples", 49, "greater than or equal to 50"),
        ("evaluate/bootstrap/confidence", 1.0, "less than 1"),
        ("evaluate/min_confidence", 0.49, "greater than or equal to 0.5"),
        ("gate/change/auc/margin", -0.001, "greater than or equal to 0"),
        ("gate/change/better/metric", "acu", METRICS),
        ("gate/change/better/scope", "all", "'pooled', 'latest', 'cohort' or 'as_it_is'"),
        ("gate/refresh/latest/must", "best", "'better', 'not_worse' or 'unharmed'"),
        ("gate/refresh/latest/severity", "stop", "'block' or 'warn'"),
        ("gate/agreement/times", 0.99, "greater than or equal to 1"),
        ("gate/agreement/shift", 0.0, "greater than 0"),
        ("gate/agreement/stretch", 0.0, "greater than 0"),
        ("gate/agreement/labels", 0.0, "greater than 0"),
        ("windows/evaluation_windows", 0, "greater than or equal to 1"),
        ("windows/evaluation_windows", 101, "less than or equal to 100"),
        ("monitor/drift/sample_rows", 1000, "greater than or equal to 1001"),
        ("monitor/drift/numeric_method", "ks", "'wasserstein', 'psi', 'jensenshannon' or 'hellinger'"),
        ("gate/max_ece", math.nan, "a finite number"),
        ("gate/max_ece", 0.26, "less than or equal to 0.25"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_allowed(key: str, value: object, allowed: str) -> None:
    """Key, value, range and file in one line."""
    found = complaint(key, value)
    assert found.startswith(f"{key.replace('/', '.')}: found {value!r}; ")
    assert found.endswith(f"{allowed}. Fix conf/config.yaml.")


@pytest.mark.parametrize("key", ["model/lambda_l2", "evaluate/costs/alert_right", "gate/change/utility/margin"])
def test_an_infinite_number_is_refused(key: str) -> None:
    """A margin or a cost without end would make a rule that decides nothing."""
    assert complaint(key, math.inf).startswith(f"{key.replace('/', '.')}: found inf; ")


@pytest.mark.parametrize("value", ["2013-02-29", "1 May 2013", "2013-5-1", "", "today"])
def test_a_bad_date_is_named_with_a_good_one(value: str) -> None:
    """Not a day, or not written as one."""
    expected = f"clock.as_of: found {value!r}; must be a date such as 2013-05-01. Fix conf/state.yaml."
    assert expected == complaint("clock/as_of", value)


@pytest.mark.parametrize("value", [20130501, None, dt.datetime(2013, 5, 1, 10, 30), 1.5])
def test_a_clock_that_is_no_date_is_refused(value: object) -> None:
    """A number, nothing, or a moment within a day."""
    found = complaint("clock/as_of", value)
    assert (True, True) == (
        found.startswith(f"clock.as_of: found {value!r}; "),
        found.endswith(" Fix conf/state.yaml."),
    )


@pytest.mark.parametrize("value", ["2013-06-01", dt.date(2013, 6, 1)])
def test_a_date_is_a_date_as_text_or_as_yaml_reads_it(value: object) -> None:
    """Hydra gives text, YAML gives a date."""
    assert dt.date(2013, 6, 1) == parse(AllParams, changed("clock/as_of", value)).clock.as_of


def test_all_problems_are_said_at_once() -> None:
    """Two mistakes, two lines."""
    values = changed("gate/max_ece", 2.0)
    values["label"]["min_votes"] = "2"
    with pytest.raises(ConfigError) as caught:
        parse(AllParams, values)
    assert ["label.min_votes:", "gate.max_ece:"] == [line.split(" ")[0] for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("key", "value"), [("model/num_leaves", "31"), ("model/num_leaves", 1), ("model/num_leavs", 31)]
)
def test_a_wrong_key_of_the_model_is_to_be_mended_in_the_model_that_is_chosen(key: str, value: object) -> None:
    """conf/config.yaml chooses model: lightgbm; conf/model/fast.yaml is not in use."""
    assert complaint(key, value).endswith(" Fix conf/model/lightgbm.yaml.")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        (
            "features/numeric",
            ["distnce_mi"],
            "features.numeric: 'distnce_mi' is not an input column. Columns: depot, ",
        ),
        ("features/categorical", ["orgin"], "features.categorical: 'orgin' is not an input column. Columns: depot, "),
        (
            "features/history/0/key",
            ["orgin"],
            "features.history.0.key: 'orgin' is not an input column. Columns: depot, ",
        ),
    ],
)
def test_a_feature_that_is_no_input_is_named_with_the_columns_there_are(key: str, value: object, found: str) -> None:
    """The contract says which input columns there are."""
    assert complaint(key, value).startswith(found)


def test_a_feature_that_is_no_input_is_named_with_its_file() -> None:
    """A folder is not a file."""
    assert complaint("features/numeric", ["distnce_mi"]).endswith(" Fix conf/project/parcels.yaml.")


def accepting(derive: str | None, name: str, why: str = "It is known before.") -> dict[str, Any]:
    """The configuration with one leak accepted, with or without features of the project's own."""
    values = changed("evaluate/leaks/accepted", {name: why})
    values["project"]["derive"] = derive
    return values


@pytest.mark.parametrize(
    "name",
    ["candidate", "served_at", "served_score", "weight_kg", "depot", "served_hour", "depot_rate_12h", "depot_count_7d"],
)
def test_every_feature_can_be_accepted_as_no_leak(name: str) -> None:
    """Inputs, parts of the calendar, history, the moment itself, and the candidate."""
    assert {name} == set(parse(AllParams, accepting(None, name)).evaluate.leaks.accepted)


def test_accepting_what_is_no_feature_is_refused_with_what_there_is() -> None:
    """Where the project has features of its own, only stage evaluate knows them."""
    with pytest.raises(ConfigError) as caught:
        parse(AllParams, accepting(None, "wait_kg"), fix())
    expected = (
        "evaluate.leaks.accepted: 'wait_kg' is not an input of the model. "
        "Allowed: candidate, served_at, served_score, depot, "
    )
    assert (True, True) == (
        str(caught.value).startswith(expected),
        str(caught.value).endswith(" Fix conf/config.yaml."),
    )
    assert {"wait_kg"} == set(parse(AllParams, accepting("parcels.features:derive", "wait_kg")).evaluate.leaks.accepted)


@pytest.mark.parametrize("why", ["", " ", "\n", None, True])
def test_an_acceptance_without_a_reason_is_refused(why: Any) -> None:
    """A name alone would be forgotten; the message names the key."""
    said = complaint("evaluate/leaks/accepted", {"candidate": why})
    assert said.startswith(f"evaluate.leaks.accepted.candidate: found {why!r}; ")
    assert "reason why this is right" in said or "a valid string" in said


@pytest.mark.parametrize("window", ["3", "0h", "h", "3w", "1.5h", "-3h"])
def test_a_window_is_hours_or_days(window: str) -> None:
    """`3h` and `7d` are windows."""
    found = complaint("features/history/0/windows", ["3h", window])
    assert found.startswith(f"features.history.0.windows.1: found {window!r}; ")
    assert found.endswith(" Fix conf/project/parcels.yaml.")


@pytest.mark.parametrize(("key", "value"), [("alert_right", -0.5), ("alert_wrong", 0.1)])
def test_costs_under_which_no_alert_pays_are_refused(key: str, value: float) -> None:
    """A right alert must be worth more than a miss, and a wrong one less than keeping quiet."""
    found = complaint(f"evaluate/costs/{key}", value)
    expected = "alert_right must be above missed, and quiet_right above alert_wrong. Fix conf/project/parcels.yaml."
    assert (True, True) == (found.startswith("evaluate.costs: found "), found.endswith(expected))


@pytest.mark.parametrize("edges", [[1000.0, 500.0], [500.0, 500.0]])
def test_edges_of_a_cohort_must_rise(edges: list[float]) -> None:
    """Bands that overlap or are empty cannot be cut."""
    assert complaint("evaluate/cohorts/weight_band/edges", edges).startswith("evaluate.cohorts.weight_band")


@pytest.mark.parametrize("column", ["prediction_id", "served_at"])
def test_a_contract_must_have_the_columns_that_the_loop_needs(column: str) -> None:
    """A column without a contract would be dropped, and then be missed."""
    found = complaint(f"contract/predictions/{column}", LEFT_OUT)
    assert (True, True) == ("contract.predictions" in found, column in found)


def test_params_are_frozen() -> None:
    """A stage cannot change what it was told."""
    found = parse(AllParams, composed())
    with pytest.raises(ValidationError, match="frozen"):
        found.gate.max_ece = 1.0


def test_lists_become_tuples() -> None:
    """A stage cannot add a feature to what it was told."""
    found = parse(AllParams, composed()).features
    assert {tuple} == {type(found.numeric), type(found.history), type(found.history[0].windows)}


def test_training_and_the_latest_evaluation_window_end_at_the_clock() -> None:
    """A model learns from the ten days before; windows of four weeks follow each other back; two weeks are the current ones."""
    windows = Windows(train_days=10, evaluation_days=28, evaluation_windows=2, current_days=14)
    as_of = dt.date(2013, 3, 31)
    assert [(dt.date(2013, 3, 3), as_of), (dt.date(2013, 2, 3), dt.date(2013, 3, 3))] == windows.evaluations(as_of)
    assert (dt.date(2013, 3, 21), as_of) == windows.training(as_of)
    assert (dt.date(2013, 3, 17), as_of) == windows.current(as_of)


def test_the_sections_of_a_stage_are_named_as_in_the_file() -> None:
    """`validate` is written so, whatever its name in Python."""
    assert ["clock", "privacy", "contract", "validate"] == sections(ValidateParams)


def written(text: str, tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stage_reads_its_own_sections_from_params_yaml(tmp_path: Path) -> None:
    """Sections of other stages are none of its business, even when they are wrong."""
    values = changed("gate/max_ece", "wrong")
    found = load(LabelParams, written(as_text(values), tmp_path))
    assert {"clock", "label", "voices"} == set(found.model_dump())


def test_what_is_composed_comes_back_from_the_file(tmp_path: Path) -> None:
    """Writing and reading params.yaml changes no value."""
    assert parse(AllParams, composed()) == load(AllParams, written(as_text(composed()), tmp_path))


def test_a_section_that_is_missing_in_params_yaml_is_named(tmp_path: Path) -> None:
    """An old params.yaml without the gate."""
    text = as_text({name: values for name, values in composed().items() if name != "gate"})
    with pytest.raises(
        ConfigError, match=r"^gate: the key is missing\. Make params\.yaml again with: flywheel compose$"
    ):
        load(GateParams, written(text, tmp_path))


def test_a_missing_params_yaml_says_how_to_make_it(tmp_path: Path) -> None:
    """It is made, never written by hand."""
    with pytest.raises(ConfigError, match=r"params\.yaml is missing\. Make it with: flywheel compose$"):
        load(TrainParams, tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["gate: [", "- gate", "", "gate"])
def test_a_params_yaml_that_holds_no_sections_says_how_to_make_it_again(text: str, tmp_path: Path) -> None:
    """Cut off, a list, nothing, one word."""
    with pytest.raises(ConfigError, match=r"Make params\.yaml again with: flywheel compose$"):
        load(GateParams, written(text, tmp_path))


@pytest.mark.parametrize(
    "override",
    ["model.num_leavs=31", "size=huge", "nonsense", "clock.as_of=2013-02-29", "label.min_votes=two"],
)
def test_a_wrong_override_is_a_config_error_that_names_it(override: str) -> None:
    """As in `flywheel run size=huge`; no traceback of a library."""
    with pytest.raises(ConfigError) as caught:
        compose([override])
    assert override.partition("=")[0] in str(caught.value)


def test_an_override_changes_one_value() -> None:
    """The rest stays as it was."""
    found = compose(["label.min_votes=3"])
    assert changed("label/min_votes", 3) == found


def test_a_folder_without_configuration_says_where_to_run(tmp_path: Path) -> None:
    """Flywheel runs in the root of a repository."""
    with pytest.raises(ConfigError, match=r"config\.yaml is missing\. Run flywheel in the root of the repository\.$"):
        compose(conf=tmp_path / "conf")


def test_a_mistake_in_conf_is_found_in_the_folder_that_was_composed(tmp_path: Path) -> None:
    """A key with a wrong value in its own small `conf/`: the message names that file."""
    conf = tmp_path / "conf"
    (conf / "project").mkdir(parents=True)
    (conf / "config.yaml").write_text("defaults: [_self_, project: mine]\nclock: {as_of: 2013-05-01}\n")
    (conf / "project/mine.yaml").write_text("# @package _global_\nlabel: {min_votes: two}\n")
    with pytest.raises(ConfigError, match=r"label\.min_votes: found 'two'; .*Fix conf/project/mine\.yaml\."):
        compose(conf=conf)


@pytest.mark.parametrize(
    ("overrides", "file"),
    [
        (["size=tiny"], "conf/size/tiny.yaml"),
        ([], "conf/config.yaml"),
        (["size=tiny", "gate.min_days=two"], "the override gate.min_days=two"),
    ],
)
def test_a_bad_value_is_blamed_on_where_it_comes_from(
    overrides: list[str], file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same key stands in two files and on the command line: the message names the one that decides."""
    copy_of_conf = tmp_path / "conf"
    shutil.copytree("conf", copy_of_conf)
    for name in ("config.yaml", "size/tiny.yaml"):
        path = copy_of_conf / name
        path.write_text(re.sub(r"(?m)^(gate:\n(?:  .*\n)*?  min_days: )\d+", r"\1many", path.read_text()))
    with pytest.raises(ConfigError, match=rf"gate\.min_days: found '\w+'; .*Fix {re.escape(file)}\.$"):
        compose(overrides, copy_of_conf)


@pytest.mark.parametrize(("model", "file"), [("fast", "fast"), ("lightgbm", "lightgbm")])
def test_a_bad_value_is_blamed_on_the_option_that_was_chosen(model: str, file: str, tmp_path: Path) -> None:
    """`override /model: fast` in size/tiny.yaml chooses too."""
    conf = tmp_path / "conf"
    shutil.copytree("conf", conf)
    for path in (conf / "model").glob("*.yaml"):
        path.write_text(re.sub(r"(?m)^num_leaves: \d+", "num_leaves: many", path.read_text()))
    with pytest.raises(ConfigError, match=rf"model\.num_leaves: found 'many'; .*Fix conf/model/{file}\.yaml\.$"):
        compose(["size=tiny"] if model == "fast" else [], conf)


@pytest.mark.parametrize("name", ["config.yaml", "model/fast.yaml"])
def test_a_file_that_is_not_utf_8_is_named(name: str, tmp_path: Path) -> None:
    """Written by an editor with another encoding; even if the option is not chosen."""
    conf = tmp_path / "conf"
    shutil.copytree("conf", conf)
    (conf / name).write_bytes((conf / name).read_bytes() + b"# M\xfcnchen\n")
    with pytest.raises(ConfigError, match=rf"{name} is not UTF-8 \(byte \d+ is 0xfc\)\. Save it as UTF-8\."):
        compose(conf=conf)


def test_a_folder_where_a_file_is_expected_is_named(tmp_path: Path) -> None:
    """In conf/, and as params.yaml."""
    conf = tmp_path / "conf"
    shutil.copytree("conf", conf)
    (conf / "state.yaml").unlink()
    (conf / "state.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"state\.yaml cannot be read: Is a directory"):
        compose(conf=conf)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(GateParams, conf)


def test_a_file_of_conf_that_is_missing_is_named(tmp_path: Path) -> None:
    """The defaults list of config.yaml names it."""
    conf = tmp_path / "conf"
    shutil.copytree("conf", conf)
    (conf / "state.yaml").unlink()
    with pytest.raises(ConfigError, match=r"(?s)conf/ cannot be composed: .*state"):
        compose(conf=conf)


@pytest.mark.parametrize(
    "text", ["- a\n", "word\n", "clock: [\n", "clock: 1\n", "defaults: 3\n", "clock: &a [*a]\n", "a: ${b}\n"]
)
def test_a_config_that_holds_anything_else_is_a_config_error(text: str, tmp_path: Path) -> None:
    """A list, a word, a broken list, a section that is none, a loop: no traceback of a library."""
    conf = tmp_path / "conf"
    shutil.copytree("conf", conf)
    (conf / "config.yaml").write_text(text)
    with pytest.raises(ConfigError):
        compose(conf=conf)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("windows/evaluation_days", 4_000_000, "less than or equal to 36500"),
        ("windows/train_days", 36_501, "less than or equal to 36500"),
        ("validate/recent_days", 9_999_999, "less than or equal to 36500"),
        ("features/history/0/windows/0", "9999999d", "at most 36500d"),
        ("features/history/0/windows/0", "36501d", "at most 36500d"),
        ("features/history/0/windows/0", "876001h", "at most 36500d"),
        ("features/history/0/windows/0", "99999999999999999999d", "at most 36500d"),
        ("clock/as_of", "0001-01-01", "must be a date"),
        ("clock/as_of", "2200-01-01", "must be a date"),
    ],
)
def test_a_stretch_of_days_beyond_the_calendar_is_a_mistake_in_conf(key: str, value: object, said: str) -> None:
    """It is named when conf/ is composed, before any stage computes, or empties, anything."""
    assert said in complaint(key, value)
