/** One of several images, by going to the next and the one before. */
import { clamp } from "../data/numbers.ts";

export function ImageStepper({
  image,
  images,
  onChange,
}: {
  image: number;
  images: number;
  onChange: (image: number) => void;
}) {
  const go = (to: number) => onChange(clamp(to, 0, images - 1));
  return (
    <span class="xw-stepper" role="group" aria-label="Image">
      <button
        type="button"
        class="xw-button xw-icon"
        aria-label="Previous image"
        disabled={image <= 0}
        onClick={() => go(image - 1)}
      >
        ‹
      </button>
      <span aria-live="polite">
        image {image + 1} of {images}
      </span>
      <button
        type="button"
        class="xw-button xw-icon"
        aria-label="Next image"
        disabled={image >= images - 1}
        onClick={() => go(image + 1)}
      >
        ›
      </button>
    </span>
  );
}
