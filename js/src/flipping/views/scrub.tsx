/** Play, and the slider from step to step. */
import { useEffect } from "preact/hooks";
import { Slider } from "../../shared/controls/slider.tsx";
import { useView } from "./context.ts";
import { stepText } from "./words.ts";

const pause = 550; // ms a step, time enough to see what changed

export function Scrubber() {
  const { store, playing } = useView();
  const { curves } = store.shown.value;
  const steps = curves?.steps ?? 0;
  const step = store.step.value;

  useEffect(() => {
    if (!playing.value) return;
    // Python learns of the step when the playing ends.
    store.committer.begin();
    const timer = setInterval(() => {
      const last = store.shown.peek().curves?.steps ?? 0;
      if (store.step.peek() >= last) playing.value = false;
      else store.goTo(store.step.peek() + 1);
    }, pause);
    return () => {
      clearInterval(timer);
      store.committer.end();
    };
  }, [playing.value, store, playing]);

  const toggle = () => {
    if (!playing.peek() && step >= steps) store.goTo(0);
    playing.value = !playing.peek();
  };
  return (
    <div class="xw-scrub">
      <button
        type="button"
        class="xw-button xw-icon xw-play"
        aria-label={playing.value ? "Pause" : "Play"}
        title={playing.value ? "Pause (space)" : "Play (space)"}
        disabled={steps === 0}
        onClick={toggle}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true" fill="currentColor">
          {playing.value ? <path d="M4 2h3v12H4zM9 2h3v12H9z" /> : <path d="M4 2l9 6-9 6z" />}
        </svg>
      </button>
      <Slider
        label="Step"
        value={step}
        min={0}
        max={Math.max(1, steps)}
        step={1}
        text={curves ? stepText(curves, step) : ""}
        disabled={steps === 0}
        onInput={(value) => {
          playing.value = false;
          store.goTo(value);
        }}
      />
    </div>
  );
}
