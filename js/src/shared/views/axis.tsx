/** The numbers under a colour bar or histogram. */
import { ticksOf } from "../data/ticks.ts";

export function AxisTicks({ range, count = 4 }: { range: [number, number]; count?: number }) {
  return (
    <div class="xw-ticks" aria-hidden="true">
      {ticksOf(range, count).map(({ value, at, text }) => (
        <span
          key={value}
          style={{ left: `${at * 100}%` }}
          data-end={at < 0.04 ? "low" : at > 0.96 ? "high" : undefined}
        >
          <span>{text}</span>
        </span>
      ))}
    </div>
  );
}
