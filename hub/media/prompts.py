"""What is said to callers, as sounds ready to be played.

    Prompt → uploaded sound (a file of the hub's, or its URL)
           → recording of the phrase: one of the house's own (phrases/LANGUAGE/NAME.ogg in the data directory), else ours
           → the text, spoken by espeak-ng where that is installed; kept on disk
           → a short tone, which says that something was to be said

The work is done in threads; a sound that was used lately is at hand at once. Music on hold is music.ogg in the data
directory, else ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import shutil
import subprocess
from array import array
from collections import OrderedDict
from pathlib import Path

import aiohttp

from hub.channels.voice import Prompt
from hub.media.codec import Codec, pause
from hub.media.frame import FRAMES_PER_S
from hub.media.ogg import read_sound, tones
from hub.media.scenes import Sound

log = logging.getLogger(__name__)

_OWN = Path(__file__).resolve().parent
# Sounds at hand: 100 kB a second of Opus.
_KEPT_FRAMES = 400 * FRAMES_PER_S
_FETCH_LIMIT_BYTES = 25 << 20
_FETCH_TIMEOUT = aiohttp.ClientTimeout(total=15)
_SPEAK_S = 20
# More of a text than anybody listens to.
_TEXT_LIMIT = 2000
# Words a minute; espeak-ng's own 175 is hard to follow on a telephone.
_WORDS_A_MINUTE = "150"
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}")
_FILE_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}")
# Between two prompts, so that they do not run into each other.
_PAUSE_S = 0.25


def speaks() -> bool:
    return shutil.which("espeak-ng") is not None


def speak(text: str, language: str) -> bytes:
    """A WAV of the text in a language (BCP 47); English where espeak-ng does not know it. OSError or ValueError when
    nothing comes of it. Blocks."""
    short = language.partition("-")[0].lower()
    if not _LANGUAGE.fullmatch(short):
        short = "en"
    for each in dict.fromkeys((short, "en")):
        done = subprocess.run(
            ["espeak-ng", "-v", each, "-s", _WORDS_A_MINUTE, "--stdin", "--stdout"],
            input=text[:_TEXT_LIMIT].encode(),
            capture_output=True,
            timeout=_SPEAK_S,
            check=False,
        )
        if done.returncode == 0 and done.stdout:
            return done.stdout
    raise ValueError("espeak-ng said nothing")


class Prompts:
    """`files_dir`: the hub's files, where they are on this machine; `data_dir`: where spoken texts and the house's own
    phrases are."""

    def __init__(self, codec: Codec, files_dir: Path, data_dir: Path) -> None:
        self._codec = codec
        self._files_dir = files_dir
        self._cache_dir = data_dir / "media" / "spoken"
        self._phrases = (data_dir / "phrases", _OWN / "phrases")
        self._music = (data_dir / "music.ogg", _OWN / "music.ogg")
        self._kept: OrderedDict[Prompt, asyncio.Task[Sound]] = OrderedDict()
        self._session: aiohttp.ClientSession | None = None
        self.speaks = speaks()
        self.tones = {name: codec.frames(pcm) for name, pcm in tones(codec).items()}
        self.music: Sound = codec.frames(pause(codec, 1.0))

    async def start(self) -> None:
        """Music is there when it returns."""
        path = next((path for path in self._music if path.is_file()), None)
        if path is not None:
            self.music = await asyncio.to_thread(self._loop, path) or self.music

    def load(self, prompt: Prompt) -> asyncio.Task[Sound]:
        """A task that never fails."""
        task = self._kept.get(prompt)
        if task is None:
            task = self._kept[prompt] = asyncio.create_task(self._load(prompt), name="media prompt")
            task.add_done_callback(lambda _done: self._forget())
        self._kept.move_to_end(prompt)
        return task

    def _forget(self) -> None:
        kept = sum(len(task.result()) for task in self._kept.values() if task.done() and not task.cancelled())
        for prompt, task in list(self._kept.items()):
            if kept <= _KEPT_FRAMES:
                return
            if task.done() and not task.cancelled():
                kept -= len(task.result())
                del self._kept[prompt]

    async def _load(self, prompt: Prompt) -> Sound:
        try:
            sound = await self._uploaded(prompt)
            if sound is None:
                sound = await asyncio.to_thread(self._spoken, prompt)
        except Exception as error:
            # One prompt that cannot be had is no reason to leave a caller without the rest.
            log.warning("media.prompt_failed", exc_info=error, extra={"phrase": prompt.phrase})
            sound = None
        if sound is None:
            self._kept.pop(prompt, None)
            return self.tones["unspoken"] if prompt.text or prompt.audio_url or prompt.audio_key else ()
        return sound

    async def _uploaded(self, prompt: Prompt) -> Sound | None:
        if _FILE_KEY.fullmatch(prompt.audio_key):
            path = self._files_dir / prompt.audio_key
            if path.is_file():
                return await asyncio.to_thread(self._read, path)
        if not prompt.audio_url:
            return None
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_FETCH_TIMEOUT)
        async with self._session.get(prompt.audio_url) as answer:
            if answer.status != 200:
                log.warning("media.sound_missing", extra={"status": answer.status})
                return None
            content = bytearray()
            async for chunk in answer.content.iter_any():
                content += chunk
                if len(content) > _FETCH_LIMIT_BYTES:
                    log.warning("media.sound_too_large")
                    return None
        return await asyncio.to_thread(self._frames, bytes(content))

    def _spoken(self, prompt: Prompt) -> Sound | None:
        short = prompt.language.partition("-")[0].lower()
        if _NAME.fullmatch(prompt.phrase) and _LANGUAGE.fullmatch(short):
            for directory in self._phrases:
                path = directory / short / f"{prompt.phrase}.ogg"
                if path.is_file():
                    return self._read(path)
        if not prompt.text or not self.speaks:
            return None
        name = hashlib.sha256(f"{short}\n{prompt.text}".encode()).hexdigest()
        path = self._cache_dir / f"{name}.wav"
        if not path.is_file():
            self._cache_dir.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(".part")
            beside.write_bytes(speak(prompt.text, short))
            beside.rename(path)
        return self._read(path)

    def _read(self, path: Path) -> Sound:
        return self._frames(path.read_bytes())

    def _loop(self, path: Path) -> Sound:
        """Without a pause at its end."""
        return self._codec.frames(read_sound(path.read_bytes(), self._codec.rate))

    def _frames(self, content: bytes) -> Sound:
        pcm: array[int] = read_sound(content, self._codec.rate)
        return self._codec.frames(pcm + pause(self._codec, _PAUSE_S))

    async def close(self) -> None:
        for task in self._kept.values():
            task.cancel()
        await asyncio.gather(*self._kept.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()
