/** Keys beside a picture: which are ours, and what arrows mean. */

/** The way each arrow key goes: columns to the right, rows down. */
export const arrows: Readonly<Record<string, readonly [dx: number, dy: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Takes an event: neither the page nor the notebook, which has commands on the same keys, acts on it too. */
export function take(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}

/** Whether a key is pressed as a command to the browser or the notebook: it is not ours. */
export function isCommand({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey || altKey;
}

/** Handles keys on a picture; `act` does what a key means there, and says whether it means anything. */
export function pictureKeys(act: (event: KeyboardEvent) => boolean): (event: KeyboardEvent) => void {
  return (event) => {
    if (!isCommand(event) && act(event)) take(event);
  };
}
