"""Tiny models with random weights, a byte-level tokenizer, and examples: what the tests of model and tuning share."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    Llama4ForCausalLM,
    Llama4TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    Phi3Config,
    Phi3ForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RwkvConfig,
    RwkvForCausalLM,
)

from tutelage.model.machine import quiet_libraries
from tutelage.text.encode import Tokens

torch.set_num_threads(1)  # the cores are shared with whatever else runs; and the same bits come every time
VOCABULARY = 320
QUESTIONS = (
    "What is the capital of Norway?",
    "Name a colour.",
    "How do I reset my password on the support page?",
    "Is water wet?",
    "Which planet is the largest?",
    "Where can I find the invoice for last month?",
    "Count to three.",
    "Who wrote the letter?",
)
ANSWERS = (
    "Oslo.",
    "Blue is a colour.",
    "Open the settings, choose security, and follow the link that we send you.",
    "Yes.",
    "Jupiter is the largest planet.",
    "Under billing: each month has its own line.",
    "One, two, three.",
    "Nobody knows.",
)
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
    "initializer_range": 0.15,
}


def llama() -> PreTrainedModel:
    """Grouped heads, a head of its own."""
    return LlamaForCausalLM(LlamaConfig(**SHAPE, num_key_value_heads=2))


def gemma3(**changes: Any) -> PreTrainedModel:
    """Grouped heads, a window of 8 in the first layer, its own score scale, tied embeddings."""
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            **SHAPE
            | {
                "num_key_value_heads": 1,
                "head_dim": 12,
                "query_pre_attn_scalar": 20,
                "sliding_window": 8,
                "layer_types": ["sliding_attention", "full_attention"],
                "tie_word_embeddings": True,
            }
            | changes
        )
    )


def gemma2() -> PreTrainedModel:
    """Soft caps on the attention's scores and on the output."""
    changes = {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 8}
    return Gemma2ForCausalLM(Gemma2Config(**SHAPE, **changes))


def phi() -> PreTrainedModel:
    """A head with a bias."""
    return _with_bias(PhiForCausalLM(PhiConfig(**SHAPE)))


def _with_bias(network: Any) -> PreTrainedModel:
    torch.nn.init.normal_(network.lm_head.bias, std=0.3)
    made: PreTrainedModel = network
    return made


def granite() -> PreTrainedModel:
    """Logits divided by a constant."""
    return GraniteForCausalLM(GraniteConfig(**SHAPE, num_key_value_heads=2, logits_scaling=4.0))


def cohere() -> PreTrainedModel:
    """Logits times a constant."""
    return CohereForCausalLM(CohereConfig(**SHAPE, num_key_value_heads=2, logit_scale=0.25))


def mamba() -> PreTrainedModel:
    """State-space layers only."""
    return MambaForCausalLM(
        MambaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            state_size=8,
            num_hidden_layers=2,
            pad_token_id=None,
            bos_token_id=0,
            eos_token_id=1,
            initializer_range=0.15,
        )
    )


def falcon_h1() -> PreTrainedModel:
    """State-space and attention side by side in each layer."""
    changes = {"num_key_value_heads": 2, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}
    return FalconH1ForCausalLM(FalconH1Config(**SHAPE, **changes, mamba_chunk_size=8))


def lfm2() -> PreTrainedModel:
    """A convolution layer and an attention layer."""
    changes = {"num_key_value_heads": 2, "layer_types": ["conv", "full_attention"], "block_multiple_of": 8}
    return Lfm2ForCausalLM(Lfm2Config(**SHAPE, **changes))


def llama4() -> PreTrainedModel:
    """Attention in chunks of 8."""
    changes = {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "attention_chunk_size": 8,
        "num_local_experts": 2,
        "intermediate_size_mlp": 48,
        "layer_types": ["chunked_attention", "full_attention"],
    }
    return Llama4ForCausalLM(Llama4TextConfig(**SHAPE, **changes))


def mixtral() -> PreTrainedModel:
    """A mixture of experts with an auxiliary loss."""
    changes = {"num_key_value_heads": 2, "num_local_experts": 4, "output_router_logits": True}
    return MixtralForCausalLM(MixtralConfig(**SHAPE, **changes))


def gpt2() -> PreTrainedModel:
    """Learned absolute places, tied embeddings."""
    shape = {"vocab_size": VOCABULARY, "n_positions": 256, "n_embd": 32, "n_layer": 2, "n_head": 4}
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 0, "eos_token_id": 1}
    return GPT2LMHeadModel(GPT2Config(**shape, **still, initializer_range=0.15))


def phi3() -> PreTrainedModel:
    """Rotary frequencies that are others in a text of more than 16 tokens."""
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    return Phi3ForCausalLM(Phi3Config(**SHAPE, original_max_position_embeddings=16, rope_parameters=rope))


def rwkv() -> PreTrainedModel:
    """A recurrent state that cannot skip padding."""
    shape = {"vocab_size": VOCABULARY, "hidden_size": 32, "attention_hidden_size": 32, "num_hidden_layers": 2}
    network = RwkvForCausalLM(RwkvConfig(**shape, context_length=256, bos_token_id=0, eos_token_id=1))
    for weight in network.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.15)
    return network


def gpt() -> PreTrainedModel:
    """No cache to decode with."""
    return OpenAIGPTLMHeadModel(
        OpenAIGPTConfig(vocab_size=VOCABULARY, n_positions=128, n_embd=32, n_layer=2, n_head=4, initializer_range=0.15)
    )


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": llama,
    "gemma3": gemma3,
    "gemma2": gemma2,
    "phi": phi,
    "granite": granite,
    "cohere": cohere,
    "mamba": mamba,
    "falcon_h1": falcon_h1,
    "lfm2": lfm2,
    "llama4": llama4,
    "mixtral": mixtral,
    "gpt2": gpt2,
    "phi3": phi3,
    "rwkv": rwkv,
    "gpt": gpt,
}


def network(name: str, seed: int = 0, attention: str = "sdpa") -> Any:
    """A fresh model in eval mode, the same for the same seed."""
    torch.manual_seed(seed)
    with quiet_libraries():
        made = MODELS[name]()
        if attention != "sdpa":
            made.set_attn_implementation(attention)
    return made.eval()


@lru_cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a beginning and an end of sequence; one object for all tests: do not change it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([*QUESTIONS, *ANSWERS, "<|user|>\n<|assistant|>\n"] * 3, trainer)
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def tokens(length: int, seed: int, fractional: bool = False) -> Tokens:
    """An example of random ids whose last two thirds are trained."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(2, VOCABULARY, length).astype(np.int32)
    weights = np.zeros(length, np.float32)
    start = max(1, length // 3)
    weights[start:] = draw.uniform(0.2, 1.0, length - start) if fractional else 1.0
    return Tokens(ids, weights, ((start, length),), f"e{seed}")


def batch(count: int = 8) -> list[Tokens]:
    """Examples whose lengths differ, most past a window of 8."""
    return [tokens(length, seed) for seed, length in enumerate((21, 5, 34, 9, 17, 28, 3, 12)[:count])]


def gradients(network: Any) -> dict[str, Tensor]:
    """Every weight's gradient by name (zeros where there is none), taken off the network."""
    found = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.detach().to_dense().clone()
        for name, weight in network.named_parameters()
    }
    network.zero_grad(set_to_none=True)
    return found


def save(folder: Path, name: str = "llama") -> Path:
    """A tiny model and its tokenizer as a Hugging Face folder."""
    with quiet_libraries():
        network(name).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def write_rows(path: Path, count: int = 8, start: int = 0) -> Path:
    """Questions and answers as JSONL; more than eight get a number to tell them apart."""
    lines = []
    for place in range(start, start + count):
        mark = f" ({place})" if place >= len(QUESTIONS) else ""
        question, answer = QUESTIONS[place % len(QUESTIONS)] + mark, ANSWERS[place % len(ANSWERS)] + mark
        lines.append(json.dumps({"prompt": question, "response": answer}) + "\n")
    path.write_text("".join(lines))
    return path


def residuals(ours: Tensor, theirs: Tensor) -> tuple[float, float]:
    """Largest and mean absolute difference, relative to the largest absolute value of `theirs`.

    The mean is signed: a lost factor moves all numbers one way, rounding does not.
    """
    difference = ours.detach().double() - theirs.detach().double()
    size = max(float(theirs.detach().double().abs().max()), 1e-30)
    return float(difference.abs().max()) / size, abs(float(difference.mean())) / size


def agree(ours: Tensor, theirs: Tensor, most: float = 1e-6, mean: float = 1e-7) -> None:
    """Both residuals are below their bounds."""
    assert ours.shape == theirs.shape
    found = residuals(ours, theirs)
    assert found[0] < most and found[1] < mean, f"largest {found[0]:.1e}, mean {found[1]:.1e}"


def flat(tensors: dict[str, Tensor]) -> Tensor:
    """All tensors as one vector, in the order of their names."""
    return torch.cat([tensors[name].detach().double().flatten() for name in sorted(tensors)])
