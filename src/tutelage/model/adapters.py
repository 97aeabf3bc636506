"""Which weights change: all of them, or LoRA's small matrices (PEFT underneath, standard adapter files)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from tutelage.errors import UsageError
from tutelage.recipe import AdapterSettings


def add(network: PreTrainedModel, settings: AdapterSettings, seed: int) -> Any:
    """The network with the weights that will change asking for gradients.

    full: the network itself. lora: a PeftModel whose adapter starts as the identity (Hu et al. 2021,
    arXiv:2106.09685), in fp32 whatever the base's precision.

    Raises:
        UsageError: no layer has a name in `adapter.targets`.
    """
    if settings.kind == "full":
        network.requires_grad_(True)
        return network
    targets: Any = settings.targets
    if targets != "all-linear":
        targets = [name.strip() for name in settings.targets.split(",") if name.strip()]
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type] # PEFT divides by the rank; a fraction is fine
        lora_dropout=settings.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            return get_peft_model(network, config)
        except ValueError as error:
            raise UsageError(f"adapter.targets={settings.targets}: {error}") from error


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
    dtype = network.get_base_model().dtype
    network.float()
    merged: Any = network.merge_and_unload(safe_merge=True)
    merged.to(dtype)
    return cast(PreTrainedModel, merged)
