"""YAML that a person wrote: odd files are refused with the line, and nothing is dropped in silence."""

from pathlib import Path

import pytest

from nephoscope.settings.params import Params
from nephoscope.settings.section import ParamsError


def load(tmp_path: Path, text: str) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return Params.load(path)


@pytest.mark.parametrize(
    ("text", "key", "first", "second"),
    [
        ("tune: {presence: pixels}\nevaluate: {seed: 1}\ntune: {presence: both}\n", "tune", 1, 3),
        ("evaluate:\n  seed: 1\n  bootstrap: 5\n  'seed': 2\n", "seed", 2, 4),
        ("predict: {flips: [none], flips: [both]}", "flips", 1, 1),
        ("a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}", "x", 2, 2),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_both_lines(
    tmp_path: Path, text: str, key: str, first: int, second: int
) -> None:
    message = rf"the key '{key}' is there twice, before in line {first}; keep one\n.*line {second}, column"
    with pytest.raises(ParamsError, match=message):
        load(tmp_path, text)


def test_the_same_key_in_two_sections_is_no_repetition(tmp_path: Path) -> None:
    loaded = load(tmp_path, "evaluate: {seed: 1}\nsynthesize: {seed: 2}")
    assert (loaded.evaluate.seed, loaded.synthesize.seed) == (1, 2)


def test_anchors_and_merged_sections_can_be_used(tmp_path: Path) -> None:
    text = "train_classifier: &both {epochs: 3, batch_size: 5}\ntrain_segmenter: {<<: *both, epochs: 4}"
    loaded = load(tmp_path, text)
    assert (loaded.train_segmenter.epochs, loaded.train_segmenter.batch_size) == (4, 5)


BOMB = "a: &0 [x]\n" + "\n".join(f"a{n}: &{n} [*{n - 1}, *{n - 1}, *{n - 1}, *{n - 1}]" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("{a: " * 3000 + "1" + "}" * 3000, "nested too deeply"),
        (
            "evaluate: {seed: " + "7" * 5000 + "}",
            r"'7{30}… \(5000 characters\)' is not usable as int\n.*line 1, column 18",
        ),
        ("evaluate: {seed: 0x" + "f" * 5000 + "}", "not usable as int"),
        ("evaluate: {seed: 99999999999999999999}", "'99999999999999999999' is not usable as int"),
        ("a:\n- 2026-13-01", r"'2026-13-01' is not usable as timestamp\n.*line 2"),
        ("a: !!int ''", "'' is not usable as int"),
        ("a: !!bool perhaps", "'perhaps' is not usable as bool"),
        ("a: !!timestamp soon", "'soon' is not usable as timestamp"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("a: {[1]: 2}", "unhashable key"),
        ("a: \x07", "special characters are not allowed"),
        (BOMB, "more than 100000 values, counting aliases"),
        ("a: &a [*a]", "more than 100000 values, counting aliases"),
        ("# " + "x" * 1_000_000, "larger than 1000 kB"),
    ],
    ids=lambda text: text[:24],
)
def test_what_yaml_cannot_hold_is_refused_and_no_bug(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml: not readable as YAML: ") as refused:
        load(tmp_path, text)
    refused.match(message)


@pytest.mark.parametrize("text", ["[]", "0", "text", "{1: 2}", "{null: {}}", "tune: 2026-01-01", "tune: !!set {a}"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml: 1 setting\(s\) cannot be used"):
        load(tmp_path, text)


def test_an_empty_file_has_all_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing") == Params()


def test_a_folder_is_no_parameter_file(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"cannot be read \(Is a directory\); expected a parameter file"):
        Params.load(tmp_path)


def test_a_range_of_too_many_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"tune\.min_areas: more than 100000 numbers; choose a larger step"):
        load(tmp_path, "tune: {min_areas: {first: 0, last: 1000000000000000, step: 1}}")
