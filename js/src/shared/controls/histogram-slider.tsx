/**
 * A histogram that is itself a slider: a cut through it keeps the lowest values. The slider's value is a
 * quantile (the share of the pixels kept), its axis the values themselves.
 */
import { useMemo, useRef } from "preact/hooks";
import type { Distribution } from "../data/distribution.ts";
import { formatNumber, formatPercent } from "../data/format.ts";
import { clamp } from "../data/numbers.ts";
import { take } from "../drawing/keys.ts";
import { pointAt } from "../drawing/place.ts";
import { AxisTicks } from "../views/axis.tsx";

import { useGestures } from "./gesture.ts";

interface HistogramSliderProps {
  distribution: Distribution;
  label: string;
  /** Share of the pixels kept, 0..1. */
  value: number;
  onChange: (value: number) => void;
}

const bars = 64;

/** The axis leaves out the last half per cent where that is a long tail with nothing to see. */
function axisOf(distribution: Distribution): [number, number] {
  const { lowest, highest } = distribution;
  const most = distribution.quantile(0.995);
  const longTail = highest - lowest > 1.6 * (most - lowest);
  const end = longTail ? most + (most - lowest) * 0.05 : highest;
  return [lowest, end > lowest ? end : lowest + (Math.abs(lowest) || 1) * 1e-3];
}

function outline(counts: readonly number[]): string {
  const most = Math.max(...counts, 1);
  const width = 100 / counts.length;
  const steps = counts.map((count, i) => `V${100 - (count / most) * 100}H${(i + 1) * width}`);
  return `M0 100${steps.join("")}V100Z`;
}

export function HistogramSlider({ distribution, label, value, onChange }: HistogramSliderProps) {
  const track = useRef<HTMLDivElement>(null);
  const dragged = useRef(false);
  const gestures = useGestures();
  const { axis, path } = useMemo(() => {
    const range = axisOf(distribution);
    return { axis: range, path: outline(distribution.histogram(...range, bars)) };
  }, [distribution]);

  const shareOfAxis = (v: number) => clamp((v - axis[0]) / (axis[1] - axis[0]), 0, 1);
  const at = value >= 1 ? 1 : value <= 0 ? 0 : shareOfAxis(distribution.quantile(value));
  const text =
    value >= 1
      ? "all pixels"
      : `surest ${formatPercent(value)} of pixels, ${label.toLowerCase()} ≤ ${formatNumber(distribution.quantile(value))}`;

  const moveTo = (event: PointerEvent) => {
    const [share] = pointAt(track.current!, event);
    // The ends are all and nothing, whatever the axis leaves out.
    if (share >= 1) onChange(1);
    else if (share <= 0) onChange(0);
    else onChange(distribution.shareBelow(axis[0] + share * (axis[1] - axis[0])));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowRight: 0.01,
      ArrowUp: 0.01,
      ArrowLeft: -0.01,
      ArrowDown: -0.01,
      PageUp: 0.1,
      PageDown: -0.1,
      Home: -1,
      End: 1,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    take(event);
    onChange(clamp(Math.round((value + step) * 1000) / 1000, 0, 1));
  };

  return (
    <div class="xw-histogram">
      <div
        ref={track}
        class="xw-histogram-track"
        role="slider"
        tabIndex={0}
        aria-label={`${label} threshold`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(value * 100)}
        aria-valuetext={text}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          event.currentTarget.focus();
          event.preventDefault();
          dragged.current = true;
          gestures.begin();
          moveTo(event);
        }}
        onPointerMove={(event) => dragged.current && moveTo(event)}
        onLostPointerCapture={() => {
          if (dragged.current) gestures.end();
          dragged.current = false;
        }}
      >
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          <path class="xw-bars-rest" d={path} />
          <path class="xw-bars-kept" d={path} style={{ clipPath: `inset(0 ${(1 - at) * 100}% 0 0)` }} />
        </svg>
        <span class="xw-cut" style={{ left: `${at * 100}%` }} />
      </div>
      <AxisTicks range={axis} count={3} />
    </div>
  );
}
