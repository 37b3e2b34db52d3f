/** Play, and the slider from step to step. */
import { useEffect } from "preact/hooks";
import { PlayButton } from "../../shared/controls/play.tsx";
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
      <PlayButton
        playing={playing.value}
        said="Play"
        title={playing.value ? "Pause (space)" : "Play (space)"}
        disabled={steps === 0}
        onToggle={toggle}
      />
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
