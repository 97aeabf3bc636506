"""One small tokenizer for all tests that do not change it."""

from __future__ import annotations

from typing import Any

import pytest
from texts import make_tokenizer

from tutelage.text.encode import Encoder


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Byte-level, with a BOS and the control tokens of every template."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def encoder(tokenizer: Any) -> Encoder:
    """The default template on it."""
    return Encoder(tokenizer, "plain")
