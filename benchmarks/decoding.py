"""Tutelage's decoding and transformers' `generate` in turns, on prompts and answers of mixed lengths.

    python benchmarks/decoding.py --model starter --batch 1 32 --precision float32

Greedy. Every prompt has its own number of tokens to write, up to `--most`: what a batch of real prompts is like,
some of which end early. `generate` gets a batch left-padded and sorted by length, and stops a row at its number; the
tokens that are counted are those asked for. In float32 the ids of both must be equal.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

import tutelage  # noqa: F401 # before torch
from tutelage.model import generate as generating
from tutelage.model import machine
from tutelage.model.load import load
from tutelage.recipe import DecodingSettings

NEVER: frozenset[int] = frozenset()


class Enough(StoppingCriteria):  # type: ignore[misc]
    """Stops each row of a batch after its own number of new tokens."""

    def __init__(self, start: int, counts: Sequence[int]) -> None:
        self.start, self.counts = start, torch.tensor(counts)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **others: Any) -> torch.Tensor:
        return input_ids.shape[1] - self.start >= self.counts


def theirs(network: Any, prompts: Sequence[list[int]], counts: Sequence[int], batch: int) -> list[list[int]]:
    """transformers' own, longest prompts first."""
    made: dict[int, list[int]] = {}
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    for at in range(0, len(order), batch):
        places = order[at : at + batch]
        width = max(len(prompts[place]) for place in places)
        rows = [[0] * (width - len(prompts[place])) + prompts[place] for place in places]
        mask = [[0] * (width - len(prompts[place])) + [1] * len(prompts[place]) for place in places]
        wanted = [counts[place] for place in places]
        out = network.generate(
            torch.tensor(rows),
            attention_mask=torch.tensor(mask),
            max_new_tokens=max(wanted),
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
            stopping_criteria=StoppingCriteriaList([Enough(width, wanted)]),
        )
        for place, row in zip(places, out.tolist(), strict=True):
            made[place] = row[width : width + counts[place]]
    return [made[place] for place in range(len(prompts))]


def ours(network: Any, prompts: Sequence[list[int]], counts: Sequence[int], batch: int) -> list[list[int]]:
    """The same numbers of tokens; a text that has its own gives its slot to the next."""
    rows: list[list[int]] = [[] for _ in prompts]
    done: set[int] = set()
    settings = DecodingSettings(max_new_tokens=max(counts), batch_size=batch)
    for place, token in generating.all_tokens(network, prompts, NEVER, settings, done):
        rows[place].append(token)
        if len(rows[place]) == counts[place]:
            done.add(place)
    return rows


def main() -> None:
    """Both in turns; tokens/s and the ratio of each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--most", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    args = parser.parse_args()
    machine.set_threads(0)
    device = torch.device("cpu")
    dtype = machine.choose_precision(args.precision, device)
    network = load(args.model, device, dtype, lambda line: None).network
    words = network.get_input_embeddings().weight.shape[0]
    for batch in args.batch:
        draw = random.Random(batch)
        few = 3 if batch == 1 else 2 * batch
        prompts = [[draw.randrange(10, words) for _ in range(draw.randint(10, 120))] for _ in range(few)]
        counts = [draw.randint(args.most // 8, args.most) for _ in prompts]
        speeds: dict[str, list[float]] = {"transformers": [], "tutelage": []}
        answers = {}
        for number in range(args.rounds + 1):
            for name, way in (("transformers", theirs), ("tutelage", ours)):
                started = time.perf_counter()
                answers[name] = way(network, prompts, counts, batch)
                if number:  # the first round warms up
                    speeds[name].append(sum(counts) / (time.perf_counter() - started))
        equal = sum(a == b for a, b in zip(answers["transformers"], answers["tutelage"], strict=True))
        ratios = [mine / own for mine, own in zip(speeds["tutelage"], speeds["transformers"], strict=True)]
        print(
            f"{args.model}, {str(dtype).removeprefix('torch.')}, batch {batch}: transformers "
            f"{statistics.median(speeds['transformers']):.1f} tokens/s, Tutelage "
            f"{statistics.median(speeds['tutelage']):.1f}, ratio {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}), {equal} of {few} answers equal",
            flush=True,
        )


if __name__ == "__main__":
    main()
