/**
 * Holds view state back from the kernel while a gesture lasts, and hands it over once, a moment after the
 * gesture ended. Sliders and zooming would flood the kernel otherwise.
 */
export class Committer {
  private readonly pending = new Map<string, unknown>();
  private gestures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly write: (values: Record<string, unknown>) => void,
    private readonly delay = 300,
  ) {}

  /** Whether the person has changed this value and the kernel does not know yet. */
  holds(name: string): boolean {
    return this.pending.has(name);
  }

  /** Whether a gesture lasts. */
  get gesturing(): boolean {
    return this.gestures > 0;
  }

  change(name: string, value: unknown): void {
    this.pending.set(name, value);
    this.schedule();
  }

  /** A pointer went down on something that will change values until `end`. */
  begin(): void {
    this.gestures++;
    clearTimeout(this.timer);
  }

  end(): void {
    this.gestures = Math.max(0, this.gestures - 1);
    if (this.pending.size) this.schedule();
  }

  /** Writes now: a request to the kernel must not overtake the state that it belongs to. */
  flush(): void {
    clearTimeout(this.timer);
    if (this.pending.size === 0) return;
    const values = Object.fromEntries(this.pending);
    this.pending.clear();
    this.write(values);
  }

  dispose(): void {
    this.flush();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.gestures === 0) this.timer = setTimeout(() => this.flush(), this.delay);
  }
}
