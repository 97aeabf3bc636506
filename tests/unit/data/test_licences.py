"""Licences: which file near the data is asked, and which of its lines is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tutelage.data.licences import licence_of

Write = Callable[..., Path]
APACHE = "\n                    Apache License\n              Version 2.0, January 2004\n\n  1. Definitions.\n"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("LICENSE", APACHE, "Apache License Version 2.0, January 2004"),
        ("LICENCE.txt", "MIT License\n\nCopyright (c) 2024 A\n", "MIT License"),
        ("UPSTREAM-LICENSE.md", "# Creative Commons\nAttribution\n", "# Creative Commons"),
        ("COPYING", "GNU GENERAL PUBLIC LICENSE\nVersion 3\n", "GNU GENERAL PUBLIC LICENSE Version 3"),
        ("LICENSE-NOTE.md", "# dolly\nWhat: rows\nLicence: CC-BY-SA-3.0 (card)\n", "Licence: CC-BY-SA-3.0 (card)"),
        ("README.md", "---\nlanguage: en\nlicense: cc-by-4.0\n---\n# Data\n", "license: cc-by-4.0"),
        ("README.md", "---\nlicense:\n- mit\n---\n", "mit"),
        ("README", "# Rows\n\n## License\n\nODbL 1.0, see the site.\n", "ODbL 1.0, see the site."),
        ("dataset_card.md", "**License:** CC0\n", "License:** CC0"),
        ("faq.jsonl.license", "SPDX-License-Identifier: MIT\n", "SPDX-License-Identifier: MIT"),
    ],
)
def test_the_line_that_names_the_licence(write: Write, name: str, content: str, line: str) -> None:
    data = write("sets/faq/faq.jsonl", "{}\n")
    file = write(f"sets/faq/{name}", content)
    found = licence_of(data)
    assert found is not None and (found.file, found.line) == (str(file), line)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "# Data\n\nAsk Jo about the licence of these rows.\n"),
        ("README.md", "## License\n"),
        ("LICENSE", ""),
        ("LICENSE.png", "MIT License"),
        ("licenses.jsonl", '{"prompt": "License: MIT"}'),
        ("driving-licences.txt", "A list of towns\n"),
    ],
)
def test_what_names_no_licence(write: Write, name: str, content: str) -> None:
    data = write("a/b/c/faq.jsonl", "{}\n")
    write(f"a/b/c/{name}", content)
    assert licence_of(data) is None


def test_the_nearest_folder_says_it_and_only_two_above_are_asked(write: Write) -> None:
    data = write("a/b/c/d/faq.jsonl", "{}\n")
    write("a/LICENSE", "MIT License\n")
    assert licence_of(data) is None
    far = write("a/b/README.md", "license: mit\n")
    found = licence_of(data)
    assert found is not None and found.file == str(far)
    near = write("a/b/c/d/NOTICE-LICENSE.txt", "Licence: CC-BY-NC-4.0\n")
    found = licence_of(data)
    assert found is not None and found.file == str(near) and found.is_not_for_trade


def test_a_home_folder_is_nobody_s_licence(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write("LICENSE", "MIT License\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert licence_of(write("data/faq.jsonl", "{}\n")) is None
