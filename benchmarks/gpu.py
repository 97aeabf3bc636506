"""A step's speed on one GPU as a share of the card's own matrix rate, beside TRL where it is installed.

    python benchmarks/gpu.py --size 1b --kind full
    python benchmarks/gpu.py --size 8b --kind lora
    python benchmarks/gpu.py --size tiny --kind full --device cpu       # tries the script itself

Llama-shaped models with random weights, packs of 4,096 tokens made of texts of 64 to 1,024 tokens, half of each text
trained. The rate of a step is its arithmetic (two operations a weight and token forward, twice that backward where
weights change and once where they are frozen; the head at trained places only) by its time; the card's is that of a
product of two square bfloat16 matrices, measured in the same run, best of twenty.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import tutelage  # noqa: F401 # before what it sets is read
from tutelage.model import adapters, layers
from tutelage.model.forward import prove
from tutelage.recipe import AdapterSettings, TuningSettings
from tutelage.text.encode import Tokens
from tutelage.text.pack import Plan, packs_of
from tutelage.tuning.fit import State, fit
from tutelage.tuning.optim import Optimizer

SIZES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32},
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32},
}
WORDS = {"tiny": 512, "1b": 128_256, "8b": 128_256}
ROW = 4096


def shape(size: str) -> LlamaConfig:
    """Grouped queries, 8 heads of keys (2 in the tiny one); embedding and head are tied in the small ones, as usual."""
    heads = 2 if size == "tiny" else 8
    return LlamaConfig(
        **SIZES[size],
        num_key_value_heads=heads,
        vocab_size=WORDS[size],
        max_position_embeddings=ROW,
        tie_word_embeddings=size != "8b",
    )


def texts(words: int, rows: int, row: int) -> tuple[list[Tokens], list[tuple[int, ...]]]:
    """Texts that fill `rows` rows of exactly `row` tokens, and which of them make each row."""
    draw = random.Random(0)
    items: list[Tokens] = []
    members = []
    for _ in range(rows):
        left, first = row, len(items)
        while left:
            length = min(left, draw.randint(64, min(1024, row)))
            length = left if left - length < 64 else length
            ids = np.asarray(draw.choices(range(words), k=length), np.int32)
            weights = np.zeros(length, np.float32)
            weights[length // 2 :] = 1
            items.append(Tokens(ids, weights, ((length // 2, length),), f"text-{len(items)}"))
            left -= length
        members.append(tuple(range(first, len(items))))
    return items, members


def operations(config: LlamaConfig, kind: str, tokens: int, trained: int, lengths: Sequence[int]) -> float:
    """Arithmetic of one step, LoRA's own small products left out: a lower bound."""
    width, inner = config.hidden_size, config.intermediate_size
    head = width // config.num_attention_heads
    layer = width * head * (2 * config.num_attention_heads + 2 * config.num_key_value_heads) + 3 * width * inner
    passes = 3 if kind == "full" else 2
    products = 2 * passes * (tokens * config.num_hidden_layers * layer + trained * width * config.vocab_size)
    # Queries by keys and weights by values: half of each square is looked at; backward is twice forward.
    attention = 3 * 2 * 2 * sum(length * length / 2 for length in lengths) * width * config.num_hidden_layers
    return products + attention


def matrix_rate(device: torch.device, size: int) -> float:
    """Operations a second of a square bfloat16 product, the best of twenty."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        _wait(device)
        started = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def network_of(config: LlamaConfig, device: torch.device) -> Any:
    """Random weights in bfloat16, made on the device."""
    torch.manual_seed(0)
    with device:
        return LlamaForCausalLM._from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa").eval()


def ours(config: LlamaConfig, kind: str, device: torch.device, steps: int, row: int) -> list[float]:
    """Seconds of each step."""
    network = network_of(config, device)
    proof = prove(network)
    if not proof.packed:
        raise SystemExit(f"the fast way is not right here: {proof.reason}")
    tuned = adapters.add(network, AdapterSettings(kind=kind, rank=16, alpha=32), 0)
    layers.quicken(tuned)
    settings = TuningSettings(lr=1e-5, warmup=0.0, schedule="constant", row_tokens=row)
    items, members = texts(config.vocab_size, steps, row)
    state = State(tuned, Optimizer(adapters.trainable(tuned), settings))
    seconds = []
    for step in fit(state, Plan(tuple(members), steps), items, settings, proof):
        _wait(device)
        seconds.append(step.seconds)
    assert all(len(packs_of(items, row_of, row)) == 1 for row_of in members)
    return seconds


def theirs(config: LlamaConfig, kind: str, device: torch.device, steps: int, row: int) -> list[float]:
    """Seconds of each step of TRL's trainer on the same tokens, padding-free where it can."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    items, members = texts(config.vocab_size, steps, row)
    whole = [[items[place] for place in row_of] for row_of in members]
    rows = {
        "input_ids": [[int(i) for item in row_of for i in item.ids] for row_of in whole],
        "labels": [
            [int(i) if w else -100 for t in row_of for i, w in zip(t.ids, t.weights, strict=True)] for row_of in whole
        ],
    }
    seconds: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            _wait(device)
            self.started = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            _wait(device)
            seconds.append(time.perf_counter() - self.started)

    with tempfile.TemporaryDirectory() as scratch:
        network_of(config, torch.device("cpu")).save_pretrained(f"{scratch}/model")
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(f"{scratch}/model", dtype=torch.bfloat16),
            args=SFTConfig(
                output_dir=scratch,
                per_device_train_batch_size=1,
                num_train_epochs=1,
                learning_rate=1e-5,
                lr_scheduler_type="constant",
                bf16=True,
                max_length=row,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=device.type == "cpu",
            ),
            train_dataset=Dataset.from_dict(rows),
            processing_class=_tokenizer(),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear") if kind == "lora" else None,
            callbacks=[Clock()],
        )
        trainer.train()
    return seconds


def _tokenizer() -> PreTrainedTokenizerFast:
    """The trainer asks for one, though its rows are ids already."""
    words = {"<s>": 0, "</s>": 1}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, "</s>")), bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="1b")
    parser.add_argument("--kind", choices=["full", "lora"], default="full")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--row", type=int, default=ROW)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--trl", action="store_true", help="measure TRL as well")
    args = parser.parse_args()
    device, config = torch.device(args.device), shape(args.size)
    rate = matrix_rate(device, 8192 if device.type == "cuda" else 512)
    items, members = texts(config.vocab_size, args.steps, args.row)
    last = [items[place] for place in members[-1]]
    trained = sum(int((item.weights[1:] > 0).sum()) for item in last)
    work = operations(config, args.kind, args.row, trained, [len(item) for item in last])
    for name, way in (("tutelage", ours), *((("TRL", theirs),) if args.trl else ())):
        seconds = way(config, args.kind, device, args.steps, args.row)[2:]  # the first two warm up
        median = statistics.median(seconds)
        peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else float("nan")
        print(
            f"{name}: {args.row / median:,.0f} tokens/s ({args.row / max(seconds):,.0f} to "
            f"{args.row / min(seconds):,.0f}), {work / median / rate:.0%} of the matrix rate of {rate / 1e12:.1f} "
            f"TFLOP/s, peak {peak:.1f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()
