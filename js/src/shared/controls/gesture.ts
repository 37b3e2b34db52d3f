/** How a control tells its widget that a gesture begins and ends, without knowing the widget. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export interface Gestures {
  begin(): void;
  end(): void;
}

const GestureContext = createContext<Gestures>({ begin: () => undefined, end: () => undefined });
export const GestureProvider = GestureContext.Provider;

export function useGestures(): Gestures {
  return useContext(GestureContext);
}

/** Handlers that mark the time from pointer down to pointer up as one gesture. */
export function useGesture(): { onPointerDown: () => void } {
  const gestures = useGestures();
  return {
    onPointerDown: () => {
      gestures.begin();
      const over = () => {
        // The release may happen anywhere, also outside the control.
        window.removeEventListener("pointerup", over);
        window.removeEventListener("pointercancel", over);
        gestures.end();
      };
      window.addEventListener("pointerup", over);
      window.addEventListener("pointercancel", over);
    },
  };
}
