"""One contender of the benchmark in a process of its own: a few steps, then one line of JSON on stdout.

    python benchmarks/worker.py tutelage|trl --model FOLDER --kind full|lora --case short|long --steps N …

Both sides get the same token ids and the same trained places, in the same order, at the same learning rate.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

if "--as-it-comes" not in sys.argv:
    import tutelage  # noqa: F401 # sets how OpenMP's threads wait and which pages torch asks for: before torch
import torch

from tutelage.data.reading import read
from tutelage.model import adapters, layers, machine
from tutelage.model.forward import prove, recompute
from tutelage.model.load import load, load_tokenizer, locate
from tutelage.model.loss import BLOCK, CHUNK
from tutelage.recipe import AdapterSettings, DataSettings, TuningSettings
from tutelage.text.encode import Encoder, Tokens
from tutelage.text.pack import Plan, packs_of
from tutelage.tuning.fit import State, fit
from tutelage.tuning.optim import Optimizer

SHORT, LONG = 256, 2048
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def rows_of(case: str, encoder: Encoder, files: list[str], batch: int, count: int) -> list[Tokens]:
    """short: whole conversations of at most 256 tokens; long: rows of exactly 2,048, joined from conversations."""
    settings = DataSettings(files=tuple(files), max_bad=0.05)
    examples = list(read(settings).examples)
    random.Random(0).shuffle(examples)
    items = (encoder.encode(example.conversation.turns, example.id) for example in examples)
    if case == "short":
        fitting = (item for item in items if len(item) <= SHORT)
        return [next(fitting) for _ in range(batch * count)]
    return [_joined(items, number) for number in range(count)]


def _joined(items: Iterator[Tokens], number: int) -> Tokens:
    import numpy as np

    ids, weights = np.zeros(0, np.int32), np.zeros(0, np.float32)
    while len(ids) < LONG:
        item = next(items)
        ids, weights = np.concatenate([ids, item.ids]), np.concatenate([weights, item.weights])
    return Tokens(ids[:LONG], weights[:LONG], ((1, LONG),), f"long-{number}")


def settings_of(args: argparse.Namespace) -> TuningSettings:
    """AdamW at a constant rate without decay, as both sides have it."""
    size = args.batch if args.case == "short" else 1
    row = {"row_tokens": args.row_tokens} if args.row_tokens else {}
    return TuningSettings(
        batch_size=size,
        lr=args.lr,
        schedule="constant",
        warmup=0.0,
        weight_decay=0.0,
        betas=(0.9, 0.999),
        clip=1.0,
        **row,
    )


def run_tutelage(args: argparse.Namespace, items: list[Tokens]) -> dict[str, Any]:
    """The same functions as `tutelage tune` calls, without its files."""
    loaded = load(locate(args.model, _quiet), torch.device("cpu"), DTYPES[args.precision], _quiet)
    proof = prove(loaded.network)
    network = adapters.add(loaded.network, AdapterSettings(kind=args.kind, rank=16, alpha=32), 0)
    if args.recompute:
        recompute(network)
    layers.quicken(network)
    settings = settings_of(args)
    size = settings.batch_size
    plan = Plan(tuple(tuple(range(at, at + size)) for at in range(0, len(items), size)), len(items) // size)
    state = State(network, Optimizer(adapters.trainable(network), settings))
    steps = list(fit(state, plan, items, settings, proof))
    peak = machine.peak_memory_bytes()
    packs = packs_of(items, plan.steps[-1], settings.row_tokens)
    floor = matrix_seconds(network, sum(map(len, packs)), sum(pack.trained for pack in packs), args.kind == "full")
    seconds = [step.seconds for step in steps]
    return {"losses": [step.loss for step in steps], "seconds": seconds, "peak": peak, "floor": floor}


def matrix_seconds(network: Any, tokens: int, trained: int, full: bool) -> float:
    """Seconds that the last step's matrix products take alone, each at its best of several tries.

    Forward, the gradient of the input and, in full tuning, that of the weight: for each linear layer and for the
    head at trained places. LoRA's small products and attention's own are not counted, so this is a lower bound.
    """
    from transformers import PreTrainedModel

    inner: PreTrainedModel = network.get_base_model() if hasattr(network, "get_base_model") else network
    head: Any = inner.get_output_embeddings()
    shapes: dict[tuple[int, int], int] = {}
    for module in inner.modules():
        if type(module) is torch.nn.Linear and module.weight is not head.weight and min(module.weight.shape) > 64:
            key = (module.weight.shape[0], module.weight.shape[1])
            shapes[key] = shapes.get(key, 0) + 1
    dtype = head.weight.dtype
    total = sum(count * _products(tokens, *shape, dtype, full) for shape, count in shapes.items())
    vocabulary, width = head.weight.shape
    places = min(trained, CHUNK)
    return total + trained / places * vocabulary / BLOCK * _products(places, BLOCK, width, dtype, full)


def _products(rows: int, out: int, width: int, dtype: torch.dtype, full: bool) -> float:
    x, w, y = (torch.randn(shape).to(dtype) for shape in ((rows, width), (out, width), (rows, out)))
    products = [lambda: x @ w.T, lambda: y @ w]
    if full:
        products.append(lambda: y.T @ x)
    best = 0.0
    for product in products:
        tries = []
        for _ in range(12):
            started = time.perf_counter()
            product()
            tries.append(time.perf_counter() - started)
        best += min(tries)
    return best


def run_trl(args: argparse.Namespace, items: list[Tokens]) -> dict[str, Any]:
    """TRL's SFTTrainer on the same ids; its own defaults where they are not named here."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    located = locate(args.model, _quiet)
    named = {} if args.own_precision else {"dtype": DTYPES[args.precision]}
    network = AutoModelForCausalLM.from_pretrained(located.folder, **named)
    seconds: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.perf_counter() - self.started)

    settings = settings_of(args)
    rows = {
        "input_ids": [item.ids.tolist() for item in items],
        "labels": [[int(i) if w else -100 for i, w in zip(t.ids, t.weights, strict=True)] for t in items],
    }
    config = SFTConfig(
        output_dir=args.scratch,
        per_device_train_batch_size=settings.batch_size,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        learning_rate=args.lr,
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        use_cpu=True,
        max_length=LONG,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **({"gradient_checkpointing": False} if args.keep_activations else {}),
        **({} if args.own_precision else {"bf16": args.precision == "bfloat16"}),
    )
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=network,
        args=config,
        train_dataset=Dataset.from_dict(rows),
        processing_class=load_tokenizer(located),
        peft_config=lora if args.kind == "lora" else None,
        callbacks=[Clock()],
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"losses": losses, "seconds": seconds, "peak": machine.peak_memory_bytes()}


def _quiet(line: str) -> None:
    del line


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=["tutelage", "trl"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--kind", choices=["full", "lora"], required=True)
    parser.add_argument("--case", choices=["short", "long"], required=True)
    parser.add_argument("--precision", choices=list(DTYPES), required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--as-it-comes", action="store_true", help="TRL: nothing is set before torch is loaded")
    parser.add_argument("--keep-activations", action="store_true", help="TRL: no recomputation of activations")
    parser.add_argument("--own-precision", action="store_true", help="TRL: its own number format")
    parser.add_argument("--row-tokens", type=int, default=0, help="Tutelage: another length of rows than its own")
    parser.add_argument("--recompute", action="store_true", help="Tutelage: activations made again (checkpointing)")
    parser.add_argument("--scratch", default="")
    args = parser.parse_args()
    if not args.as_it_comes:
        machine.set_threads(0)
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    items = rows_of(
        args.case, Encoder(load_tokenizer(locate(args.model, _quiet)), "plain"), args.data, args.batch, args.steps
    )
    found = (run_tutelage if args.contender == "tutelage" else run_trl)(args, items)
    size = settings_of(args).batch_size
    found["tokens"] = [sum(map(len, items[at : at + size])) for at in range(0, len(items), size)]
    os.write(out, (json.dumps(found) + "\n").encode())
    sys.stdout.flush()


if __name__ == "__main__":
    main()
