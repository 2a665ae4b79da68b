"""Texts in cells of CSV files that spreadsheets open. Pure.

A spreadsheet takes a text that begins with = + - @ for a formula (OWASP, CSV Injection); such a text gets an apostrophe in
front, and loses it when the file comes back. So does what stands behind a semicolon or a line end: where lists are written
with semicolons, as in most of our languages, a spreadsheet begins a cell there, whatever quotes stand around it.
"""

from __future__ import annotations

import re

_BEGINS = r"(?:\A|(?<=[;\n\r]))"
_FORMULA = re.compile(_BEGINS + r"(?=[=+\-@\t\r])")
_WARDED = re.compile(_BEGINS + r"'(?=[=+\-@\t\r])")


def harmless(text: str) -> str:
    return _FORMULA.sub("'", text)


def restored(text: str) -> str:
    """What `harmless` was given."""
    return _WARDED.sub("", text) if "'" in text else text
