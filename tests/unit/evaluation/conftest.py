"""A tiny Llama with random weights, its tokenizer, and a finished LoRA run tuned from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made import ANSWERS, QUESTIONS, WORDS, examples_of, talk
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tutelage.model import adapters
from tutelage.model.forward import attending, pack_loss, prove
from tutelage.model.load import locate, located_hash
from tutelage.recipe import AdapterSettings, build
from tutelage.records import Example
from tutelage.text.encode import Encoder
from tutelage.text.pack import make_pack
from tutelage.tuning.run import Manifest, Run, Step, write_text


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Two cores are shared with whatever else runs."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a beginning and an end of sequence."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(QUESTIONS + ANSWERS, trainer)
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="session")
def network(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Two layers of random weights, large enough that the losses differ clearly from token to token."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.1,
    )
    made = LlamaForCausalLM(config)
    # Adapters leave the head as it is, and a random one of the usual size can only make timid predictions.
    with torch.no_grad():
        made.lm_head.weight.mul_(5)
    return made.eval()


@pytest.fixture(scope="session")
def examples() -> tuple[Example, ...]:
    """Questions with markup in them, the last of several turns."""
    talks = [talk(question, answer) for question, answer in zip(QUESTIONS, ANSWERS, strict=True)]
    talks[3] = talk("Hello", "Good day", *[turn.text for turn in talks[3]], system="Be brief.")
    return examples_of(talks)


@pytest.fixture(scope="session")
def base(network: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, tmp_path_factory: Any) -> Path:
    """The tiny model as a Hugging Face folder."""
    folder: Path = tmp_path_factory.mktemp("model") / "tiny"
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def run(base: Path, examples: tuple[Example, ...], tmp_path_factory: Any) -> Run:
    """A finished LoRA run that has learned the held-out answers by heart."""
    network: Any = LlamaForCausalLM.from_pretrained(base)
    encoder = Encoder(PreTrainedTokenizerFast.from_pretrained(base), "plain")
    proof = prove(network)
    tuned = adapters.add(network, AdapterSettings(rank=16), 0)
    packs = make_pack([encoder.encode(example.conversation.turns) for example in examples])
    optimizer = torch.optim.AdamW([weight for weight in tuned.parameters() if weight.requires_grad], lr=0.01)
    steps = []
    for number in range(1, 61):
        with attending(tuned, proof):
            loss = pack_loss(tuned, packs, proof, 1 / packs.weight)
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        steps.append(Step(number, float(loss.detach()), len(packs), packs.trained, 1.0, 0.01, 1.0, 0.1))
    steps[-1] = replace(steps[-1], held_out_loss=steps[-1].loss)
    folder: Path = tmp_path_factory.mktemp("runs") / "tiny-1"
    folder.mkdir()
    made = Run(folder)
    adapters.save_adapter(tuned, folder / "adapter")
    found = locate(str(base), lambda line: None)
    about = {"name": str(base), "folder": str(base), "weights_hash": located_hash(found)}
    made.write_manifest(Manifest(about, "plain", "lora", finished=True, steps=60, of_steps=60))
    rows = [{"prompt": f"Which word stands before {word}?", "response": f"Not {word}."} for word in WORDS]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = {"base": str(base), "device": "cpu", "precision": "float32", "threads": 1}
    recipe = build({"model": model, "data": {"files": [str(folder / "data.jsonl")]}})
    write_text(folder / "recipe.yaml", recipe.to_yaml())
    write_text(folder / "metrics.jsonl", "".join(step.to_json() + "\n" for step in steps))
    made.write_held_out(examples)
    return made
