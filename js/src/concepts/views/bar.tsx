/** A signed number as a bar from a common zero: to the right for the class, to the left against it. */

/** The ends of the bars of a list: its lowest and highest value, zero between them. */
export interface Ends {
  low: number;
  high: number;
}

export function endsOf(values: readonly number[]): Ends {
  const ends = { low: Math.min(0, ...values), high: Math.max(0, ...values) };
  return ends.low === ends.high ? { low: 0, high: 1 } : ends;
}

/** `whole` is what stands in grey behind: the same over the whole image, where `value` is that of a box. */
export function Bar({ value, whole = null, ends }: { value: number; whole?: number | null; ends: Ends }) {
  const { low, high } = ends;
  const share = (of: number) => `${(of / (high - low)) * 100}%`;
  const place = (of: number) => ({ left: share(Math.min(of, 0) - low), width: share(Math.abs(of)) });
  return (
    <span class="xw-share" data-sign={value < 0 ? "minus" : "plus"}>
      {whole !== null && <i class="xw-share-whole" style={place(whole)} />}
      <i style={place(value)} />
      {low < 0 && <i class="xw-share-zero" style={{ left: share(-low) }} />}
    </span>
  );
}

/** What the colours of bars say. */
export function BarKey({ of, boxed }: { of: string; boxed: boolean }) {
  return (
    <p class="xw-bar-key">
      <span class="xw-share" data-sign="plus">
        <i />
      </span>
      <span class="xw-bar-of" title={of}>
        for {of}
      </span>
      <span class="xw-share" data-sign="minus">
        <i />
      </span>
      against
      {boxed && (
        <>
          <span class="xw-share">
            <i class="xw-share-whole" />
          </span>
          over the whole image
        </>
      )}
    </p>
  );
}
