"""How many of the suite's instructions a model keeps, by category, by turn and by what stands beside them.

    python benchmarks/following.py MODEL --tokens 64 --answers following.jsonl

A model is anything that `tutelage chat` takes. Answers are greedy. With `--answers` they are kept in a file, and what
stands there already is not asked again, so that a long run can be cut into pieces (`--most`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tutelage.evaluation.answers import generate_together
from tutelage.evaluation.contenders import Contender
from tutelage.evaluation.following.shares import Share, shares
from tutelage.evaluation.following.suite import Instruction, suite
from tutelage.model import machine
from tutelage.model.forward import prove
from tutelage.model.load import load, locate
from tutelage.recipe import Recipe
from tutelage.text.encode import Encoder


def asked(model: str, prompts: list[Instruction], tokens: int, side_by_side: int) -> dict[str, str]:
    """The model's answers by the prompts' ids."""
    recipe = Recipe()
    device = machine.choose_device(recipe.model.device)
    located = locate(model, print)
    loaded = load(located, device, machine.choose_precision(recipe.model.precision, device), print)
    encoder = Encoder(loaded.tokenizer, located.template or recipe.model.template)
    contender = Contender(model, model, loaded.network, encoder, prove(loaded.network))
    decoding = recipe.decoding.model_copy(update={"max_new_tokens": tokens, "batch_size": side_by_side})
    ask = contender.ask([one.prompt for one in prompts])
    answers = generate_together(contender.network, [ask], decoding, cut_loops=True)[0]
    return {one.id: one.answer for one in answers}


def table(found: tuple[Share, ...]) -> Table:
    """A row for each group of prompts."""
    made = Table("", "", "kept", "95% interval", "prompts")
    for one in found:
        kept = one.kept
        ends = f"{100 * kept.low:.0f} to {100 * kept.high:.0f} %"
        made.add_row(one.part, one.name, f"{100 * kept.value:.1f} %", ends, f"{kept.count}")
    return made


def main() -> None:
    """Ask, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--most", type=int, default=len(suite()))
    parser.add_argument("--side-by-side", type=int, default=20)
    given = parser.parse_args()
    path: Path | None = given.answers
    known: dict[str, str] = {}
    if path and path.exists():
        known = dict(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    left = [one for one in suite() if one.prompt.id not in known][: given.most]
    if left:
        known |= asked(given.model, left, given.tokens, given.side_by_side)
    if path:
        path.write_text("".join(json.dumps(pair) + "\n" for pair in known.items()), encoding="utf-8")
    Console(width=100).print(table(shares([one for one in suite() if one.prompt.id in known], known)))


if __name__ == "__main__":
    main()
