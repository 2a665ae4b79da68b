"""format=flowed (RFC 3676): lines that were wrapped for the wire, made into paragraphs again."""

from __future__ import annotations


def unflow(text: str, *, delsp: bool) -> str:
    """`text` with soft line breaks undone. Quote marks are written "> " once per level; "-- " stays a line of its own."""
    lines: list[str] = []
    held: list[str] = []
    held_depth = 0

    def close() -> None:
        if held:
            lines.append(_quoted(held_depth, "".join(held)))
            held.clear()

    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if held and depth != held_depth:
            close()
        held_depth = depth
        if content == "-- " or not content.endswith(" "):
            if content == "-- ":
                close()
            held.append(content)
            close()
        else:
            held.append(content[:-1] if delsp else content)
    close()
    return "\n".join(lines)


def _quoted(depth: int, text: str) -> str:
    return f"{'>' * depth} {text}" if depth else text
