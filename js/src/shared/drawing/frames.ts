/** Work that is done at most once a frame, however often it is asked for. */
export class FrameJob {
  private handle: number | undefined;
  private since = 0;

  constructor(
    private readonly work: () => void,
    /** Name of the performance measure, from the first request to the end of the work. */
    private readonly measure: string,
  ) {}

  request(): void {
    if (this.handle !== undefined) return;
    this.since = performance.now();
    this.handle = requestAnimationFrame(() => this.run());
  }

  /** Does the work at once, and with it what was asked of the next frame. */
  now(): void {
    if (this.handle === undefined) this.since = performance.now();
    else cancelAnimationFrame(this.handle);
    this.run();
  }

  dispose(): void {
    if (this.handle !== undefined) cancelAnimationFrame(this.handle);
    this.handle = undefined;
  }

  private run(): void {
    this.handle = undefined;
    const start = performance.now();
    this.work();
    const end = performance.now();
    record(this.measure, { start: this.since, end, detail: { work: end - start } });
  }
}

const kept = 2000; // entries; a page that is open for days must not collect them all
let recorded = 0;

function record(name: string, options: PerformanceMeasureOptions): void {
  if (++recorded % kept === 0) performance.clearMeasures(name);
  performance.measure(name, options);
}
