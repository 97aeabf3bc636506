"""`tutelage evaluate RUN --retention` and `--harness` as they are typed, on a tiny run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from calling import Call

from tiny import save, write_rows
from tutelage.evaluation.harness import HarnessResult
from tutelage.evaluation.retention import Retention

QUICK = ("tuning.max_steps=2", "tuning.batch_size=8", "data.hold_out=0.2", "model.threads=1")
TASK = """\
task: choosing
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}, cache_dir: %s}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_what_a_run_forgot(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTELAGE_ANSWERS", "off")
    faq, base = write_rows(tmp_path / "faq.jsonl", 40), save(tmp_path / "base")
    assert call("tune", faq, "--base", base, *QUICK).status == 0
    asked = ("--retention", "--most", "8", "decoding.max_new_tokens=4", "model.threads=1")
    done = call("evaluate", "runs/faq", *asked, "--json")
    assert done.status == 0, done.err
    found = Retention.from_json((tmp_path / "runs/faq-1/retention.json").read_text())
    assert done.json["retention"] == [json.loads(found.to_json())] and found.after.replies
    shown = call("evaluate", "runs/faq", "--before", "runs/faq", *asked)
    assert shown.status == 0 and "instructions kept" in shown.out and "Nothing measurable was lost." in shown.err
    refused = call("evaluate", base, "--retention")
    assert refused.status == 2 and "--before" in refused.err
    if importlib.util.find_spec("lm_eval") is None:
        return
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "choosing.yaml").write_text(TASK % (tmp_path / "cache"))
    (tasks / "rows.jsonl").write_text(
        '{"question": "Which is a colour?", "options": ["blue", "two"], "answer": 0}\n' * 3
    )
    scored = call("evaluate", "runs/faq", "--harness", "tasks", "--json", "model.threads=1")
    assert scored.status == 0, scored.err
    result = HarnessResult.from_json((tmp_path / "runs/faq-1/harness.json").read_text())
    assert scored.json["harness"] == [json.loads(result.to_json())] and result.template == "plain"
