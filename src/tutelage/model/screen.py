"""The likeliest word of few texts without reading the whole head: eight bits first, then exact scores of what may win.

With few rows a product with the head takes as long as reading it: 671 MB in Gemma 3's 270M. A copy of it in eight bits
is a quarter of that. How far a score from it can be from the exact one has a bound (Cauchy and Schwarz), so every word
that may be the likeliest is known, a dozen of 262,144 as a rule, and only those are scored exactly. The answer is that
of the whole product.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

MOST = 8
"""Rows up to which it is faster than the whole product."""
WORTH = 16
"""A head is copied when it has been asked so often: copying takes as long as some thirty whole products."""
SMALLEST = 16_384
"""Words of a head that is worth it."""
_BLOCK = 8192
_STEPS, _FINER = 63, 126
"""Hidden states are rounded to so many steps to each side, and what is left to steps so many times finer."""


class Screen:
    """A head (V, d) in eight bits, each row with a scale of its own, and how far each row is from the exact one."""

    def __init__(self, head: Tensor, bias: Tensor | None) -> None:
        self.head, self.bias = head, bias
        words, width = head.shape
        whole, scales = torch.empty(words, width, dtype=torch.int8), torch.empty(words)
        self._size, self._off = torch.empty(words), torch.empty(words)
        for start in range(0, words, _BLOCK):
            part = slice(start, start + _BLOCK)
            rows = head[part]
            scales[part] = rows.abs().amax(1).clamp_min_(1e-30) / 127
            rounded = (rows / scales[part, None]).round_()
            whole[part] = rounded
            self._size[part] = torch.linalg.vector_norm(rows, dim=1)
            self._off[part] = torch.linalg.vector_norm(rounded.mul_(scales[part, None]).sub_(rows), dim=1)
        self._packed = _packed(whole, scales)
        # A float product's own rounding, for each side of the comparison; a sum with a bias is rounded too.
        self._off += self._size * width * torch.finfo(torch.float32).eps
        self._still = torch.zeros(words) if bias is None else bias.abs() * 4 * torch.finfo(torch.float32).eps

    def bound(self, state: Tensor, left: Tensor) -> Tensor:
        """(V,) how far rough scores can be from the exact ones, for a state (d,) that lost a part of norm `left`.

        |score - rough| <= |what is left of the state| |rough word| + |state| |what is left of the word|.
        """
        of_words: Tensor = self._off * torch.linalg.vector_norm(state)
        return of_words + (self._size + self._off) * left + self._still

    def likeliest(self, hidden: Tensor) -> tuple[Tensor, Tensor] | None:
        """Words (n,) and their scores (n,) for last hidden states (n, d); None where too many words may win."""
        rough, left = self._rough(hidden)
        found, scores = torch.empty(len(hidden), dtype=torch.long), torch.empty(len(hidden))
        for number, (row, state) in enumerate(zip(rough, hidden, strict=True)):
            bound = self.bound(state, left[number])
            may_win = (row + bound >= (row - bound).max()).nonzero().squeeze(1)
            if not 0 < len(may_win) <= len(row) // 16:
                return None
            exact = self.head[may_win] @ state
            if self.bias is not None:
                exact += self.bias[may_win]
            scores[number], place = exact.max(0)
            found[number] = may_win[place]
        return found, scores

    def _rough(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (n, V) from eight bits, and the norms (n,) of what was left of the states.

        Each state is given as two rows of whole numbers, the second for what the first leaves. The last row makes
        the kernel's own choice of a scale, which follows from the smallest and largest number, 1.
        """
        step = hidden.abs().amax(1, keepdim=True).clamp_min(1e-30) / _STEPS
        scaled = hidden / step
        coarse = scaled.round()
        fine = ((scaled - coarse) * _FINER).round_()
        spread = torch.zeros(1, hidden.shape[1])
        spread[0, 0], spread[0, 1] = -_STEPS, _STEPS + 1
        rows = torch.cat([coarse, fine, spread])
        made = torch.ops.quantized.linear_dynamic(rows, self._packed, True)
        count = len(hidden)
        rough = made[count : 2 * count].div_(_FINER).add_(made[:count]).mul_(step)
        if self.bias is not None:
            rough += self.bias
        return rough, torch.linalg.vector_norm((scaled - coarse - fine / _FINER) * step, dim=1)


def _packed(whole: Tensor, scales: Tensor) -> Any:
    """Whole numbers (V, d) as FBGEMM, the only one with a fast product here where processors lack VNNI, wants them."""
    zeros = torch.zeros(len(whole), dtype=torch.long)
    with warnings.catch_warnings():  # PyTorch will drop its quantized tensors; without them, `likeliest` gives None
        warnings.simplefilter("ignore", UserWarning)
        made = torch._make_per_channel_quantized_tensor(whole, scales.double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(made, None)


@dataclass
class _Kept:
    version: int
    asked: int = 0
    screen: Screen | None = None
    wrong: bool = False


_kept: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()


def likeliest(layer: Any, hidden: Tensor) -> tuple[Tensor, Tensor] | None:
    """What `Screen.likeliest` says for an output layer that is asked again and again; None where it is not worth it."""
    weight: Tensor = layer.weight
    if len(hidden) > MOST or len(weight) < SMALLEST or weight.is_inference() or not _can():
        return None
    if not bool(torch.isfinite(hidden).all()):
        return None
    kept = _kept.get(layer)
    if kept is None or kept.version != weight._version:  # tuned meanwhile
        kept = _kept[layer] = _Kept(weight._version)
    kept.asked += 1
    if kept.wrong or kept.asked < WORTH:
        return None
    if kept.screen is None:
        try:
            kept.screen = Screen(weight.detach(), getattr(layer, "bias", None))
            kept.wrong = not _holds(kept.screen, hidden)
        except (AttributeError, NotImplementedError, RuntimeError):  # a PyTorch or processor without that product
            kept.wrong = True
    return None if kept.wrong or kept.screen is None else kept.screen.likeliest(hidden)


def _holds(screen: Screen, hidden: Tensor) -> bool:
    """Whether this processor's kernel rounds as it is documented: the scores lie within their bounds."""
    rough, left = screen._rough(hidden)
    exact = hidden @ screen.head.T
    if screen.bias is not None:
        exact += screen.bias
    bounds = torch.stack([screen.bound(state, one) for state, one in zip(hidden, left, strict=True)])
    return bool(((rough - exact).abs() <= bounds).all())


def _can() -> bool:
    return torch.backends.quantized.engine in ("x86", "fbgemm", "onednn")
