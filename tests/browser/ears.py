"""What a page plays of a call, and what its microphone hears: everybody in a call speaks in a tone of their own.

    voice(path, 700)                a sound for Chromium's --use-file-for-fake-audio-capture
    page.add_init_script(TAP)       before the page is opened
    Ear(page).until_hears(1190)

Pages are what they are: the browser's echo cancellation, noise suppression and gain control are at work.
"""

from __future__ import annotations

import math
import statistics
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.people import PATIENCE_MS

# dB of full scale. A tone that is spoken is heard at -20 to -36; one that is not has some -110 beside others.
HEARD_DB = -45.0
MUSIC_DB = -50.0
# By so much is what may not be heard below what is.
AWAY_DB = 60.0
# A packet that comes late on a busy machine is a crack, which has something of every tone in it, and is over at once.
CRACK_DB = 20.0

_RATE = 48_000
_AMPLITUDE = 0.35
# A steady tone is noise to a browser, which takes it away; one that swells and fades as syllables do is speech. That moves
# some of it 4 and 8 Hz to the sides.
_SYLLABLES_HZ = 4
# Chromium begins the file anew at its end, and each second of it is the same.
_FILE_S = 120
_WINDOWS = 5

# The page's loudspeaker is the element that was last given a stream. The analyser looks at 0.34 s of it (through Blackman's
# window, whose skirts are far down 100 Hz away).
TAP = """(() => {
  const property = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  let speaker = null, tapped = null, context = null, analyser = null, meter = null;
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...property,
    set(stream) {
      property.set.call(this, stream);
      if (stream !== null) speaker = this;
    },
  });
  const tap = () => {
    if (speaker === null || speaker.paused || speaker.muted || speaker.srcObject === null) return false;
    if (tapped !== speaker.srcObject) {
      context ??= new AudioContext({ sampleRate: 48000 });
      tapped = speaker.srcObject;
      analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
      new MediaStreamAudioSourceNode(context, { mediaStream: tapped }).connect(analyser);
    }
    return context.state === "running";
  };
  const decibel = (tone) => {
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const at = Math.round((tone * analyser.fftSize) / context.sampleRate);
    return Math.max(-200, ...bins.subarray(at - 2, at + 3));
  };
  window.heard = (tones) => (tap() ? tones.map(decibel) : null);
  window.loudness = () => {
    if (!tap()) return -200;
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    return 10 * Math.log10(samples.reduce((sum, each) => sum + each * each, 1e-15) / samples.length);
  };
  window.heardNext = async (tones, count) => {
    const windows = [];
    while (windows.length < count) {
      if (!tap()) return windows;
      const until = context.currentTime + analyser.fftSize / context.sampleRate;
      while (context.currentTime < until) await new Promise((resolve) => setTimeout(resolve, 20));
      windows.push(window.heard(tones));
    }
    return windows;
  };
})();"""


def voice(path: Path, tone: int) -> Path:
    """Somebody who says this tone, in Hz, all the time."""
    second = array("h")
    for at in range(_RATE):
        swell = math.sin(math.pi * _SYLLABLES_HZ * at / _RATE) ** 2
        second.append(round(32_767 * _AMPLITUDE * swell * math.sin(2 * math.pi * tone * at / _RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(second.tobytes() * _FILE_S)
    return path


@dataclass
class Ear:
    """At a page that was opened with TAP."""

    page: Page

    def until_hears(self, *tones: int) -> None:
        """All of them, at once."""
        self.page.wait_for_function(
            "([tones, least]) => heard(tones)?.every((level) => level > least)",
            arg=[tones, HEARD_DB],
            polling=50,
            timeout=PATIENCE_MS,
        )

    def until_silent(self) -> None:
        """It plays, and what it plays is silence."""
        self.page.wait_for_function(
            "(most) => heard([]) !== null && loudness() < most", arg=HEARD_DB - AWAY_DB, polling=50, timeout=PATIENCE_MS
        )

    def until_music(self, instead_of: int) -> None:
        """It plays something in which this tone is no more than a note of many."""
        self.page.wait_for_function(
            "([tone, least, most]) => heard([tone])?.every((level) => level < most) && loudness() > least",
            arg=[instead_of, MUSIC_DB, HEARD_DB - 10],
            polling=50,
            timeout=PATIENCE_MS,
        )

    def until_away(self, tone: int, beside: int) -> None:
        """The one is heard and the other no more: what was on its way when it ended has been played."""
        self.page.wait_for_function(
            "([tones, least]) => { const it = heard(tones); return it !== null && it[0] - it[1] > least; }",
            arg=[(beside, tone), AWAY_DB],
            polling=50,
            timeout=PATIENCE_MS,
        )

    def hears_only(self, tone: int, *absent: int) -> None:
        """For as long as it takes to be sure: a voice that is there is in every part of what is heard."""
        windows: list[list[float]] = self.page.evaluate(
            "([tones, count]) => heardNext(tones, count)", [[tone, *absent], _WINDOWS]
        )
        assert len(windows) == _WINDOWS, "it does not play"
        for at, other in enumerate(absent, 1):
            down = sorted(levels[0] - levels[at] for levels in windows)
            assert statistics.median(down) >= AWAY_DB, f"{other} Hz is heard beside {tone} Hz: {down} dB down"
            assert down[0] >= CRACK_DB, f"{other} Hz is heard for a moment: {down} dB down"
