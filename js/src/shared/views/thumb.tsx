/** Small pictures: the plain picture of the image on screen, and those of a sheet. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Picture } from "../data/picture.ts";
import type { Tile } from "../state/album.ts";

const side = 96; // pixels of the longer side: twice the size on screen

/** A picture as it is: without its heatmap, in its own colours. */
export function PlainThumb({ picture, label }: { picture: Picture | null; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (!picture || !canvas.current) return;
    const scale = side / Math.max(picture.width, picture.height);
    canvas.current.width = Math.max(1, Math.round(picture.width * scale));
    canvas.current.height = Math.max(1, Math.round(picture.height * scale));
    const context = canvas.current.getContext("2d")!;
    context.imageSmoothingEnabled = scale < 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture.canvas, 0, 0, canvas.current.width, canvas.current.height);
  }, [picture]);
  return (
    <span class="xw-plain-thumb">
      <canvas ref={canvas} role="img" aria-label={label} hidden={!picture} />
    </span>
  );
}

/** One picture of a sheet, as tall as its place. */
export function SheetThumb({ tile }: { tile: Tile | null }) {
  if (!tile) return <span class="xw-tile" />;
  const { url, column, row, columns, rows, aspect } = tile;
  const share = (at: number, count: number) => (count > 1 ? (at / (count - 1)) * 100 : 0);
  const style = {
    "--xw-tile": String(aspect),
    backgroundImage: `url(${url})`,
    backgroundSize: `${columns * 100}% ${rows * 100}%`,
    backgroundPosition: `${share(column, columns)}% ${share(row, rows)}%`,
  };
  return <span class="xw-tile" style={style} />;
}
