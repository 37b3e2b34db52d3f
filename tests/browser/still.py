"""Waits until a page of ours has nothing left to draw: by what it has asked the browser for, not by a time that a slow machine needs more of."""

from __future__ import annotations

from playwright.sync_api import Frame, Page

__all__ = ["REST", "SOON", "WATCH", "put_off", "still"]

REST = 600
"""Milliseconds. Longer than any pause after which something is written, asked or said; shorter than what is waited for in vain."""

SOON = 100
"""Milliseconds. What is put off by no more is part of a drawing: Preact's effects after a frame, an answer of the stand-in model."""
WATCH = """(() => {
    if (window.still) return;
    const [frame, cancel] = [window.requestAnimationFrame.bind(window), window.cancelAnimationFrame.bind(window)];
    const [later, clear] = [window.setTimeout.bind(window), window.clearTimeout.bind(window)];
    const frames = new Set();
    const timers = new Map();
    window.requestAnimationFrame = (work) => {
        const id = frame((time) => { frames.delete(id); work(time); });
        frames.add(id);
        return id;
    };
    window.cancelAnimationFrame = (id) => { frames.delete(id); cancel(id); };
    window.setTimeout = (work, delay = 0, ...rest) => {
        const id = later((...all) => { timers.delete(id); work(...all); }, delay, ...rest);
        timers.set(id, delay);
        return id;
    };
    window.clearTimeout = (id) => { timers.delete(id); clear(id); };
    const moves = (animation) => animation.playState === "running" && animation.effect.getComputedTiming().endTime < Infinity;
    const busy = (longest) => {
        const soon = [...timers.values()].filter((delay) => delay <= longest).length;
        const moving = document.getAnimations().filter(moves).length;
        return frames.size || soon || moving ? `${frames.size} frames, ${soon} timers, ${moving} transitions` : "";
    };
    window.still = async (longest, patience) => {
        const end = performance.now() + patience;
        // Observers are called after a frame's work, and may ask for the next one: of two in a row the second is quiet.
        for (let quiet = 0; quiet < 2; ) {
            await new Promise((done) => frame(() => later(done, 0)));
            const left = busy(longest);
            quiet = left ? 0 : quiet + 1;
            if (left && performance.now() > end) throw new Error(`the page does not come to rest: ${left}`);
        }
    };
})()"""


def still(page: Page | Frame, longest: int = SOON, patience: float = 60) -> None:
    """Wait until no frame is asked for, no timer of at most ``longest`` ms runs and nothing moves. What moves without end is not waited for.

    A page that has ``WATCH`` from its beginning (``page.add_init_script``) is seen whole; another from now on.
    """
    page.evaluate(WATCH)
    page.evaluate("([longest, patience]) => still(longest, patience)", [longest, 1000 * patience])


def put_off(page: Page, longest: int = REST) -> None:
    """Wait until what the page has put off by at most ``longest`` ms is done; for pages of hosts, which never come to rest themselves.

    The page's own timer ends after every earlier one that is due before it, however slow the machine.
    """
    page.evaluate("(longest) => new Promise((done) => setTimeout(done, longest))", longest)
