"""Texts in cells of CSV files that spreadsheets open. Pure.

A spreadsheet takes a text that begins with = + - @ for a formula (OWASP, CSV Injection); such a text gets an apostrophe in
front, and loses it when the file comes back.
"""

from __future__ import annotations

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_WARDED = tuple(f"'{sign}" for sign in _FORMULA_SIGNS)


def harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def restored(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if text.startswith(_WARDED) else text
