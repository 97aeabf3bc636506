"""Recipes and overrides that are wrong are refused with a sentence, whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.arguments import recipe_of
from tutelage.errors import UsageError
from tutelage.recipe import build, read_recipe

DOUBLED = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
BROKEN = {
    "a date that is none": ("data: {files: [!!timestamp 2024-99-99]}", "not a readable recipe: month must be in"),
    "nested without end": ("[" * 5000, "not a readable recipe: nested too deeply"),
    "a wrong word for a type": ("tuning: {lr: !!bool x}", "not a readable recipe"),
    "no text for a type": ("tuning: {lr: !!timestamp x}", "not a readable recipe"),
    "a program": ("x: !!python/object/apply:os.system [echo]", "not a readable recipe"),
    "not closed": ("data: {files: [a", "not a readable recipe"),
    "a list": ("- a", "a recipe is a mapping of sections"),
    "a number for a section": ("data: 5", "data: input should be a valid dictionary"),
    "nothing for a section": ("data:", "data: input should be a valid dictionary"),
    "a number for a name": ("1: 2", "1: keys should be strings"),
    "a billion leaves": (f"l0: &l0 [1, 2]\n{DOUBLED}tuning: *l8", "tuning: input should be a valid dictionary"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_recipe_is_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    text, reason = BROKEN[case]
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as told:
        recipe_of([str(path), "faq.jsonl", "data.hold_out=0.1"], data__held_out="held.jsonl")
    assert reason in str(told.value).lower() or reason in str(told.value)
    assert len(str(told.value)) < 5000


@pytest.mark.parametrize("value", ["[1, 2", "!!bool x", "{a", "\x02", "[" * 5000])
def test_a_broken_override_is_refused_and_named(value: str) -> None:
    with pytest.raises(UsageError, match=r"tuning\.lr=.*: the value cannot be read"):
        build({}, [f"tuning.lr={value}"])


def test_words_of_older_yaml_are_words() -> None:
    """Else data.near=off would be false, and a file named 2024-03-05 a date."""
    made = build({}, ["data.near=off", "data.files=[no, 2024-03-05, 'true']", "personal.mask=yes", "out=on"])
    assert (made.data.near, made.data.files, made.personal.mask, made.out) == (
        "off",
        ("no", "2024-03-05", "true"),
        True,
        "on",
    )
    assert build({}, ["personal.mask=true"]).personal.mask is True


def test_recipes_override_each_other_by_section(tmp_path: Path) -> None:
    for name, text in (("a", "tuning: {lr: 1, epochs: 2}\n"), ("b", "tuning: {lr: 3}\ndata: {near: off}\n")):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    made = recipe_of([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "faq.jsonl"])
    assert (made.tuning.lr, made.tuning.epochs, made.data.files) == (3, 2, ("faq.jsonl",))


def test_a_recipe_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    text = "a\u2028b\x85c\r\n\t: - # \ufeff \U0001f600 'x' \"y\" NaN null 1e3"
    made = build({"data": {"instruction": text, "files": ["1", "null", "a, b"]}, "out": "no"})
    path = tmp_path / "recipe.yaml"
    path.write_text(made.to_yaml(), encoding="utf-8")
    assert build(read_recipe(path)) == made
