"""The whole journey on one laptop: tune the starter on the help desk's conversations, and weigh the result.

    make demo

Prints at the end what the README claims: time, memory, how often the tuned model stops by itself, how much lower
its loss is than that of the base in its best format, and one answer that shows it.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

from tutelage import Recipe, compare, generate, terminal, tune
from tutelage.evaluation.table import show
from tutelage.model import machine
from tutelage.model.load import load
from tutelage.records import Prompt, Role, Turn
from tutelage.text.encode import Encoder
from tutelage.tuning.run import Run, new_folder
from tutelage.tuning.work import Watch

HERE = Path(__file__).parent
QUESTION = "Explain how to create a webhook."


def tuned_run() -> Run:
    """A new run on the desk's training conversations."""
    out = new_folder("", ("helpdesk",))
    recipe = Recipe.model_validate(
        {
            "data": {"files": [str(HERE / "train.jsonl")], "held_out": str(HERE / "held_out.jsonl")},
            "model": {"base": "starter"},
            "out": str(out),
        }
    )
    with terminal.StepBar() as bar:
        return tune(recipe, Watch(terminal.say, bar.stepped, bar.sampled))


def answer(run: Run) -> tuple[str, bool]:
    """The tuned model's answer to QUESTION, and whether it ended by itself."""
    device = machine.choose_device("auto")
    loaded = load(str(run.folder), device, machine.choose_precision("auto", device), terminal.say)
    encoder = Encoder(loaded.tokenizer, loaded.located.template)
    prompt = Prompt("webhook", (Turn(Role.USER, QUESTION),))
    made = generate(loaded.network, encoder, [prompt], run.recipe().decoding)[0]
    return made.answer, made.stopped


def main() -> None:
    """Tune, compare, ask, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", type=float, default=time.time(), help="when the clock started, in Unix seconds")
    since = parser.parse_args().since
    run = tuned_run()
    recipe = run.recipe()
    with terminal.Bars() as bars:
        found = compare(run, None, HERE / "system.txt", None, recipe.compare, recipe.decoding, terminal.say, bars)
    show(found, terminal.OUT)
    text, stopped = answer(run)
    terminal.OUT.rule(QUESTION, align="left")
    terminal.OUT.print(text, markup=False)
    base, tuned = (next(r for r in found.contenders if r.name == name) for name in ("base", "tuned"))
    steps = len(re.findall(r"^\d+\. ", text, re.MULTILINE))
    terminal.OUT.rule("The figures", align="left")
    terminal.OUT.print(
        f"time in all            {(time.time() - since) / 60:.1f} minutes\n"
        f"peak memory            {machine.peak_memory_bytes() / 1e9:.1f} GB\n"
        f"stops by itself        {tuned.stop_rate:.0%} of {len(tuned.answers)} held-out prompts "
        f"(base: {base.stop_rate:.0%})\n"
        f"loss per answer token  {tuned.losses.per_token:.3f}; the base in its best format "
        f"({base.format}) {base.losses.per_token:.3f}: {tuned.losses.per_token / base.losses.per_token - 1:+.1%}\n"
        f"the webhook answer     {steps} numbered steps, {'ended by itself' if stopped else 'did not end'}\n"
        f"the report             {run.folder / 'report.html'}"
    )


if __name__ == "__main__":
    main()
