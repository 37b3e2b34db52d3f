/** How far a computation is, in a bar and in words. */
import { formatCount, formatDuration, formatNumber } from "../data/format.ts";
import type { Progress } from "../types.ts";

/** "640 of 3000 masks · largest s.e. 0.013 · 4 s left" */
export function progressText(progress: Progress): string {
  const { state, done, total, unit, seconds_left, largest_error, enough } = progress;
  const parts: string[] = [];
  const of = total && (state === "running" || done !== total) ? ` of ${formatCount(total)}` : "";
  const early = enough && state === "done" ? "good enough at " : "";
  if (done || total) parts.push(`${early}${formatCount(done ?? 0)}${of}${unit ? ` ${unit}` : ""}`);
  if (largest_error != null && Number.isFinite(largest_error)) {
    parts.push(`largest s.e. ${formatNumber(largest_error, 2)}`);
  }
  if (state === "running") {
    const left = seconds_left == null ? "" : formatDuration(seconds_left);
    parts.push(left ? `${left} left` : parts.length ? "computing" : "computing…");
  }
  if (state === "stopped") parts.push("stopped");
  return parts.join(" · ");
}

export function ProgressBar({ progress }: { progress: Progress }) {
  const { state, done = 0, total } = progress;
  const share = total ? Math.min(1, done / total) : state === "running" ? null : 1;
  const text = progressText(progress);
  return (
    <div class="xw-progress" data-state={state}>
      <div
        class="xw-progress-bar"
        role="progressbar"
        aria-label="Computation"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === null ? undefined : Math.round(share * 100)}
        aria-valuetext={text || undefined}
        hidden={state === "idle" || state === "done" || (!total && state !== "running")}
      >
        <span class={share === null ? "xw-unknown" : ""} style={{ width: `${(share ?? 0.3) * 100}%` }} />
      </div>
      <span class="xw-progress-text" title={text}>
        {text}
      </span>
    </div>
  );
}
