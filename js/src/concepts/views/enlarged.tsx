/** One reference image, large: with its concept's heatmap, and plain beside it. In the place of the small ones, so that nothing moves. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { formatNumber } from "../../shared/data/format.ts";
import { take } from "../../shared/drawing/keys.ts";
import type { Reference } from "../state/results.ts";
import { insetOf } from "./boxes.ts";
import { useStore } from "./context.ts";
import { HeatCanvas } from "./heat-canvas.tsx";

interface EnlargedProps {
  item: Reference;
  /** To the next or the one before. */
  onStep: (by: number) => void;
  onClose: () => void;
}

export function Enlarged({ item, onStep, onClose }: EnlargedProps) {
  const store = useStore();
  const { colormap, opacity, picture: beneath, overlay } = store.state;
  const dialog = useRef<HTMLDivElement>(null);
  // Only when it opens: stepping keeps the focus where it is.
  useLayoutEffect(() => dialog.current?.querySelector<HTMLElement>("[aria-label=Close]")?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") onClose();
    else if (by) onStep(by);
    else return;
    take(event);
  };
  const { picture, map, sample, score, target, box } = item;
  if (!picture) return null;
  const name = target === null ? "" : `, ${store.className(target)}`;
  const aspect = { "--xw-aspect": picture.width / picture.height };
  const panes = [
    { title: "its concept's heatmap", map },
    { title: "the image alone", map: null },
  ];
  return (
    <div
      ref={dialog}
      class="xw-enlarged"
      role="dialog"
      aria-label={`Sample ${sample}${name}`}
      onKeyDown={onKeyDown}
    >
      <p class="xw-enlarged-head">
        <b>
          Sample {sample}
          {name}
        </b>
        <span class="xw-value">{formatNumber(score)}</span>
        <button
          type="button"
          class="xw-button xw-icon"
          aria-label="Previous reference"
          onClick={() => onStep(-1)}
        >
          ‹
        </button>
        <button type="button" class="xw-button xw-icon" aria-label="Next reference" onClick={() => onStep(1)}>
          ›
        </button>
        <button type="button" class="xw-button xw-icon" aria-label="Close" onClick={onClose}>
          ×
        </button>
      </p>
      <div class="xw-enlarged-panes">
        {panes.map((pane) => (
          <figure key={pane.title} class="xw-pane">
            <div class="xw-frame" style={aspect} role="img" aria-label={`Sample ${sample}: ${pane.title}`}>
              <HeatCanvas
                picture={picture}
                map={pane.map}
                colormap={colormap.value}
                opacity={opacity.value}
                beneath={beneath.value}
                style={overlay.value}
              />
              {pane.map && box && <span class="xw-box" style={{ inset: insetOf(box, picture) }} />}
            </div>
            <figcaption class="xw-quiet">{pane.title}</figcaption>
          </figure>
        ))}
      </div>
    </div>
  );
}
