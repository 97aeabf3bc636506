"""The task files of docs/evaluation.md are read as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from tutelage.evaluation.scorers import SCORERS
from tutelage.evaluation.tasks import read_tasks

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_examples_are_tasks(tmp_path: Path) -> None:
    found = {}
    for suffix in ("jsonl", "yaml"):
        (text,) = re.findall(rf"```{suffix}\n(.*?)```", PAGE.split("\n## Does it still")[0], re.DOTALL)
        (tmp_path / f"shown.{suffix}").write_text(text, encoding="utf-8")
        (found[suffix],) = read_tasks(tmp_path / f"shown.{suffix}")
    assert (found["jsonl"].name, [item.id for item in found["jsonl"].items]) == ("capitals", ["2", "be", "4"])
    assert (found["yaml"].name, [item.scorers for item in found["yaml"].items]) == ("forms", [("json_schema",)] * 2)


def test_every_scorer_is_in_the_table() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE.split("\n## Does it still")[0], re.MULTILINE) == list(SCORERS)
