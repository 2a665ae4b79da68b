"""Scenes as they stand in the table (channels.voice.Scene as JSON), and the same with addresses for the provider.

A stored prompt names the file of its sound; the address under which a provider may fetch it is signed and ends, so it is
put in when the scene leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from hub.channels.voice import Hold, Menu, Prompt, Say, Scene, Voicemail, Wait

_SCENE: TypeAdapter[Scene] = TypeAdapter(Annotated[Scene, Field(discriminator="kind")])


def write_scene(scene: Scene) -> dict[str, Any]:
    return asdict(scene)


def read_scene(stored: Any) -> Scene:
    """As `write_scene` wrote it."""
    return _SCENE.validate_python(stored)


def with_addresses(scene: Scene, address_of: Callable[[str], str]) -> Scene:
    """The scene with `address_of(file key)` for each of its sounds."""
    if not isinstance(scene, Say | Menu | Wait | Hold | Voicemail):
        return scene

    def addressed(prompt: Prompt) -> Prompt:
        return replace(prompt, audio_url=address_of(prompt.audio_key)) if prompt.audio_key else prompt

    return replace(scene, prompts=tuple(addressed(prompt) for prompt in scene.prompts))
