"""A model's config with its first layers alone, so that a part of a network can be loaded without the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def first_layers(folder: Path, count: int) -> Any:
    """The config in `folder`, of a network that has only its first `count` layers (or fewer, where it has fewer).

    What the config lists for each layer (kinds of attention, widths) is cut too. Weights of later layers that stand
    in the folder are then passed over when it is loaded with this config.

    Raises:
        Exception: transformers refuses the config; whoever loads the weights puts that into words.
    """
    from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    text = config.get_text_config()
    layers = text.num_hidden_layers
    for name, value in list(vars(text).items()):
        other = name == "architectures" or "token_id" in name  # lists that may be as long by chance
        if isinstance(value, list | tuple) and len(value) == layers and not other:
            setattr(text, name, value[:count])
    text.num_hidden_layers = min(count, layers)
    return config
