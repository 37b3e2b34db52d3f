/** A method's line and marker, for legends and tables. */
import { type Mark, markerPath, markStyle } from "./marks.ts";

export function Swatch({ mark }: { mark: Mark }) {
  return (
    <svg class="xw-swatch xw-mark" viewBox="0 0 30 12" aria-hidden="true" style={markStyle(mark)}>
      <line x1="1" x2="29" y1="6" y2="6" stroke-dasharray={mark.dash} />
      <path d={markerPath(mark, 36)} transform="translate(15, 6)" />
    </svg>
  );
}
