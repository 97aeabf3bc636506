"""A model and its tokenizer from a run, a folder, a model hub, a GGUF file, or `starter`.

`locate` finds the files and refuses what must not be loaded: nothing in a model's folder is ever run as
code, and weights come from safetensors only. `load` brings the network into memory.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tutelage.errors import ModelError, UsageError
from tutelage.model.cut import first_layers
from tutelage.model.machine import Say, file_hash, first_line, quiet_libraries, read_json
from tutelage.model.machine import weights_hash as weights_hash  # others look for it here
from tutelage.model.starter import convert_gguf, starter_folder
from tutelage.model.tokenizer import read_tokenizer
from tutelage.model.tokenizer import tokenizer_hash as tokenizer_hash  # others look for it here

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_WANTED = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_DEEPEST = 8
_CONVERT = (
    "Reading pickle can run code, so only safetensors are read: where you trust the model, load it with "
    "transformers and save it again (save_pretrained writes safetensors)"
)


@dataclass(frozen=True)
class Located:
    """A model that was found and may be loaded; nothing of it is in memory yet.

    `kind` is run, folder, hub, gguf or starter. `folder` is a Hugging Face folder; `beneath` are adapters
    merged into it first (for a run tuned on another LoRA run), `adapter` the one on top. `template` is the
    name that a run recorded.
    """

    name: str
    kind: str
    folder: Path
    adapter: Path | None = None
    template: str = ""
    beneath: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """A network in eval mode with its tokenizer, on `device` in `dtype`."""

    located: Located
    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    device: torch.device
    dtype: torch.dtype


def locate(name: str, say: Say, _depth: int = 0) -> Located:
    """Finds the model that a user named, and checks that it may be loaded.

    Args:
        name: a run, Hugging Face or adapter folder, a `.gguf` file, `starter`, or a hub name owner/name.
        say: called with a line for the user where something takes long.

    Raises:
        ModelError: where there is no such model, or it is refused; the message has the reason.
    """
    if _depth > _DEEPEST:
        raise ModelError(f"{name}: more than {_DEEPEST} adapters on each other; does one name itself as its base?")
    if name == "starter":
        return Located(name, "starter", starter_folder(say))
    path = Path(name).expanduser()
    if path.is_dir():
        return _locate_folder(name, path, say, _depth)
    if path.is_file():
        if path.suffix.lower() == ".gguf":
            return Located(name, "gguf", convert_gguf(path, say))
        why = f"holds pickled weights. {_CONVERT}" if path.suffix in _PICKLES else "is no .gguf file"
        raise ModelError(f"{name} {why}; name a .gguf file or the folder that holds config.json")
    # Where the folder before the slash exists, runs/faq-1 is a slip in a path and not a name on the hub.
    if _HUB_NAME.fullmatch(name) and not path.parent.exists():
        return _locate_hub(name, say)
    raise ModelError(f"there is no model at {name}. {_near(path)}")


def _locate_folder(name: str, path: Path, say: Say, depth: int) -> Located:
    if (path / "manifest.json").is_file():
        return _locate_run(name, path, say, depth)
    if (path / "adapter_config.json").is_file():
        _check_adapter(path)
        base = read_json(path / "adapter_config.json").get("base_model_name_or_path")
        if not isinstance(base, str) or not base:
            raise ModelError(f"{path / 'adapter_config.json'} does not name the base model of this adapter")
        return replace(_on_top(locate(base, say, depth + 1), path), name=name, kind="folder", template="")
    if (path / "config.json").is_file():
        _check_folder(path)
        return Located(name, "folder", path)
    raise ModelError(f"{name} has neither manifest.json nor config.json: it is no model. {_inside(path)}")


def _locate_run(name: str, run: Path, say: Say, depth: int) -> Located:
    manifest = read_json(run / "manifest.json")
    template = str(manifest.get("template") or "")
    _check_tuned(run, manifest.get("files"))
    if (run / "model").is_dir():
        _check_folder(run / "model")
        return Located(name, "run", run / "model", template=template)
    if not (run / "adapter").is_dir():
        hint = "" if manifest.get("finished") else f" It is not finished; go on with: tutelage resume {name}"
        raise ModelError(f"the run {name} holds no tuned model (no model or adapter folder).{hint}")
    _check_adapter(run / "adapter")
    base = manifest.get("base")
    if not isinstance(base, dict) or not base.get("weights_hash"):
        raise ModelError(f"{run / 'manifest.json'} does not say which base its adapter belongs to")
    tuned = _on_top(_base_of(name, base, say, depth), run / "adapter")
    return replace(tuned, name=name, kind="run", template=template)


def _check_tuned(run: Path, files: object) -> None:
    """Refuses a tuned model of which a file is not what was written when the run was finished."""
    for name, expected in files.items() if isinstance(files, dict) else ():
        tuned = str(name).startswith(("model/", "adapter/"))
        if tuned and (not (run / name).is_file() or file_hash(run / name) != expected):
            raise ModelError(f"{run / name} is damaged or missing; restore it from a copy, or tune again")


def _base_of(run: str, base: dict[str, Any], say: Say, depth: int) -> Located:
    """The model that an adapter was tuned on, found by the name that was used then, or else where it lay."""
    expected, problems = str(base["weights_hash"]), []
    for name in dict.fromkeys(str(base[key]) for key in ("name", "folder") if base.get(key)):
        try:
            found = locate(name, say, depth + 1)
        except ModelError as error:
            problems.append(str(error))
            continue
        if (actual := located_hash(found)) == expected:
            return found
        problems.append(f"the weights of {name} are not those it was tuned on: SHA-256 {actual} now, {expected} then")
    raise ModelError(f"the base model of the run {run} cannot be used: " + "; ".join(problems))


def _on_top(base: Located, adapter: Path) -> Located:
    """The base with one more adapter; an adapter it already has is merged beneath."""
    beneath = (*base.beneath, base.adapter) if base.adapter else base.beneath
    return replace(base, adapter=adapter, beneath=beneath)


def _locate_hub(name: str, say: Say) -> Located:
    import huggingface_hub
    from huggingface_hub import errors

    say(f"{name}: looking on the model hub")
    try:
        folder = huggingface_hub.snapshot_download(name, allow_patterns=_WANTED, ignore_patterns=["*/*"])
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{name} may only be downloaded by people who accepted its licence. Accept it at "
            f"https://huggingface.co/{name}, then log in with: hf auth login"
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise ModelError(f"there is no {name} on the hub, nor a folder here. {_near(Path(name))}") from error
    except (OSError, errors.HfHubHTTPError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"{name} is no folder here, and the model hub cannot be reached (offline?): {first_line(error)}. "
            "Download it elsewhere and name its folder, or use another model (starter, a GGUF file)"
        ) from error
    _check_folder(Path(folder))
    return Located(name, "hub", Path(folder))


def _near(path: Path) -> str:
    """What a person may have meant by a path that does not exist."""
    folder = next(parent for parent in (*path.parents, Path()) if parent.is_dir())
    here = [item.name for item in folder.iterdir() if item.is_dir() or item.suffix == ".gguf"]
    close = [str(folder / match) for match in difflib.get_close_matches(path.name, here, 3, 0.5)]
    close += difflib.get_close_matches(str(path), ["starter"], 1, 0.7)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return "A model is a run folder, a Hugging Face folder, a .gguf file, a hub name (owner/name) or starter"


def _inside(path: Path) -> str:
    """Models one step below a folder that is none."""
    wanted = ("*/config.json", "*/manifest.json", "*/adapter_config.json", "*.gguf")
    found = [item for part in wanted for item in sorted(path.glob(part))]
    found = [item if item.suffix == ".gguf" else item.parent for item in found]
    return f"Did you mean {' or '.join(map(str, found[:3]))}?" if found else "Name another folder"


def _check_folder(folder: Path) -> None:
    """Refuses a folder with code in it, without a readable config, or without safetensors and a tokenizer."""
    _refuse_code(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json, so it is no Hugging Face model folder. {_inside(folder)}")
    read_json(folder / "config.json")
    _check_weights(folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")):
        raise ModelError(f"{folder} holds no tokenizer (tokenizer.json). Copy the tokenizer's files there")


def _refuse_code(folder: Path) -> None:
    for name in ("config.json", "tokenizer_config.json", "generation_config.json", "adapter_config.json"):
        if (folder / name).is_file() and "auto_map" in set(_keys(read_json(folder / name))):
            raise ModelError(
                f"{folder / name} asks to run the model's own Python code (auto_map), which is never done. "
                "Take a model whose architecture transformers knows"
            )
    if script := next(folder.rglob("*.py"), None):
        raise ModelError(
            f"{script} is Python code in a model's folder, which is never run; the model is refused. Take a "
            "model whose architecture transformers knows; where the file is only a leftover, remove it"
        )


def _check_weights(folder: Path) -> None:
    if not list(folder.glob("*.safetensors")):
        if pickled := [item.name for item in sorted(folder.iterdir()) if item.suffix in _PICKLES]:
            raise ModelError(f"{folder} has its weights only as pickle ({pickled[0]}). {_CONVERT}")
        raise ModelError(f"{folder} holds no weights (*.safetensors). The download may be unfinished")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = read_json(index).get("weight_map")
        names = {str(part) for part in parts.values()} if isinstance(parts, dict) else set()
        if missing := sorted(part for part in names if not (folder / part).is_file()):
            raise ModelError(f"{folder} lacks a part of its weights: {missing[0]}. The download may be unfinished")


def _check_adapter(folder: Path) -> None:
    _refuse_code(folder)
    if not (folder / "adapter_config.json").is_file():
        raise ModelError(f"{folder} has no adapter_config.json")
    if not (folder / _ADAPTER_WEIGHTS).is_file():
        pickled = next((item.name for item in folder.iterdir() if item.suffix in _PICKLES), None)
        if pickled:
            raise ModelError(f"{folder} has its adapter only as pickle ({pickled}). {_CONVERT}")
        raise ModelError(f"{folder} holds no adapter weights ({_ADAPTER_WEIGHTS})")


def _keys(value: object) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(item)


def load(
    model: str | Located,
    device: torch.device,
    dtype: torch.dtype,
    say: Say,
    merge: bool = True,
    four_bits: bool = False,
    layers: int = 0,
) -> Loaded:
    """Brings a model into memory, in eval mode.

    Args:
        model: what `locate` takes, or what it gave.
        device: where the weights go.
        dtype: the weights' number format.
        say: called with a line for the user.
        merge: an adapter is merged into the weights in float32; False: it stays apart, as a PeftModel.
        four_bits: the linear layers but the head in 4 bits (NF4; Dettmers et al. 2023, arXiv:2305.14314).
        layers: only so many of its first layers; 0: all.

    Raises:
        UsageError: 4 bits without bitsandbytes, or for a model that is a base with an adapter.
        ModelError: where the model is refused, is no causal language model, or its parts do not fit together.
    """
    located = locate(model, say) if isinstance(model, str) else model
    tokenizer = load_tokenizer(located)
    merged = (*located.beneath, located.adapter) if located.adapter and merge else located.beneath
    with quiet_libraries():
        quantized = _in_four_bits(located, merged, device, dtype) if four_bits else {}
        network: Any = _network(located.folder, torch.float32 if merged else dtype, layers, **quantized)
        for adapter in merged:
            network = _attach(network, adapter).merge_and_unload(safe_merge=True)
        network = (in_precision(network, dtype) if merged else network).to(device)
        if located.adapter and not merge:
            network = _attach(network, located.adapter)
    network.eval()
    rows, most = network.get_input_embeddings().num_embeddings, max(tokenizer.get_vocab().values())
    if most >= rows:
        raise ModelError(
            f"{located.folder}: the tokenizer has ids up to {most}, the embedding only {rows} rows; they do "
            "not belong together. Take both from one model"
        )
    return Loaded(located, network, tokenizer, device, dtype)


def in_precision(network: Any, dtype: torch.dtype) -> Any:
    """The network with its weights in `dtype`. Buffers stay: in bfloat16, rotary frequencies turn far places wrong."""
    for weight in network.parameters():
        weight.data = weight.data.to(dtype)
    return network


def _in_four_bits(located: Located, merged: Sequence[Path], device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What transformers is told to load a base in 4 bits, straight onto its device."""
    from transformers import BitsAndBytesConfig

    if merged:
        raise UsageError(f"{located.name} is a base with an adapter, and only a plain base can be tuned in 4 bits")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("adapter.kind=qlora needs bitsandbytes: pip install 'tutelage[qlora]'; or take lora")
    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    return {"quantization_config": config, "device_map": {"": str(device)}}


def _network(folder: Path, dtype: torch.dtype, layers: int, **others: Any) -> Any:
    from transformers import AutoModelForCausalLM

    attention = _check_architecture(folder)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"config": first_layers(folder, layers)} if layers else {}),
            **others,
        )
    except Exception as error:  # transformers, safetensors and torch raise many kinds for a damaged folder
        raise ModelError(f"the weights in {folder} cannot be loaded: {first_line(error)}") from error
    network, notes = loaded
    if missing := sorted(notes["missing_keys"]) + sorted(str(key) for key in notes["mismatched_keys"]):
        raise ModelError(f"the weights in {folder} are not complete: {missing[0]} is missing or has another shape")
    return network


def _check_architecture(folder: Path) -> str:
    """Refuses what is no causal language model; returns the attention to load it with."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    try:
        with quiet_libraries():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a config can be wrong in as many ways as there are architectures
        raise ModelError(f"{folder / 'config.json'} cannot be used: {first_line(error)}") from error
    names = [str(name) for name in config.architectures or ()]
    known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    writes = not names or any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)
    if not known or not writes or config.is_encoder_decoder:
        what = ", ".join(names) or config.model_type
        raise ModelError(
            f"{folder} is no causal language model but {what}; only models that write text from left to "
            "right (…ForCausalLM) can be used"
        )
    network_class: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    return "sdpa" if getattr(network_class, "_supports_sdpa", False) else "eager"


def _attach(network: PreTrainedModel, adapter: Path) -> Any:
    from peft import PeftModel

    _check_adapter(adapter)
    try:
        return PeftModel.from_pretrained(network, str(adapter), local_files_only=True)
    except Exception as error:  # peft raises many kinds where an adapter does not fit
        raise ModelError(f"the adapter in {adapter} does not fit this model: {first_line(error)}") from error


def load_tokenizer(located: Located) -> PreTrainedTokenizerFast:
    """The tokenizer of a located model; see `read_tokenizer`."""
    return read_tokenizer(located.folder)


def located_hash(located: Located) -> str:
    """Identifies a located model's weights: `weights_hash` of its folder and, where it has any, adapters."""
    adapters = (*located.beneath, located.adapter) if located.adapter else located.beneath
    whole = weights_hash(located.folder)
    for adapter in adapters:
        whole = hashlib.sha256(f"{whole} {weights_hash(adapter)}".encode()).hexdigest()
    return whole
