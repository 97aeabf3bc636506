"""Which weights change: all of them, or LoRA's small matrices (PEFT underneath, standard adapter files)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from tutelage.errors import UsageError
from tutelage.model.load import in_precision
from tutelage.model.machine import quiet_libraries
from tutelage.recipe import AdapterSettings

_MAMBA = ("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h")


def add(network: PreTrainedModel, settings: AdapterSettings, seed: int) -> Any:
    """The network with the weights that will change asking for gradients.

    full: the network itself. lora: a PeftModel whose adapter starts as the identity (Hu et al. 2021,
    arXiv:2106.09685), in fp32 whatever the base's precision.

    Raises:
        UsageError: no layer has a name in `adapter.targets`, or the output head has (or shares its weight).
    """
    if settings.kind == "full":
        network.requires_grad_(True)
        embedding: Any = network.get_input_embeddings()
        if isinstance(embedding, torch.nn.Embedding) and embedding.weight.device.type in ("cpu", "cuda"):
            # A step meets a few hundred words: their rows are added to the gradient, not a vocabulary of zeros.
            embedding.sparse = True
        return network
    targets: Any = settings.targets
    if targets != "all-linear":
        targets = [name.strip() for name in settings.targets.split(",") if name.strip()]
    mamba = targets == "all-linear" and network.config.model_type in _MAMBA
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type] # PEFT divides by the rank; a fraction is fine
        lora_dropout=settings.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
        # Mamba's code reads these layers' weights and passes the adapter by; PEFT refuses the first two of them.
        exclude_modules=["out_proj", "conv1d", "dt_proj"] if mamba else None,
    )
    with quiet_libraries(), warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # remarks on what PEFT sets right by itself; what it cannot, it raises
        torch.manual_seed(seed)
        try:
            tuned = get_peft_model(network, config)
        except ValueError as error:
            raise UsageError(f"adapter.targets={settings.targets}: {error}") from error
    heads: list[Any] = [network.get_output_embeddings()]
    if network.config.get_text_config().tie_word_embeddings:
        heads.append(network.get_input_embeddings())
    if any(weight.requires_grad for head in heads for weight in head.parameters()):
        raise UsageError(f"adapter.targets={settings.targets}: only adapter.kind=full can tune the output head")
    return tuned


def trainable(network: Any) -> dict[str, torch.nn.Parameter]:
    """The weights that change, by name; a weight used twice (tied embeddings) appears once."""
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}


def save_adapter(network: PeftModel, folder: Path) -> None:
    """PEFT's own files: adapter_config.json and adapter_model.safetensors."""
    network.save_pretrained(str(folder), safe_serialization=True)


@torch.no_grad()
def merge(network: PeftModel) -> PreTrainedModel:
    """The base with the adapter added in fp32, back in the base's precision.

    In bf16 about a tenth of what LoRA learned would be rounded away while adding; here only the sum is rounded.
    """
    dtype: Any = network.get_base_model().dtype
    merged = in_precision(network, torch.float32).merge_and_unload(safe_merge=True)
    return cast(PreTrainedModel, in_precision(merged, dtype))
