/** What is explained: the plain picture, what the model says of it and how sure it is, and the methods in words. */

import { formatNumber, formatProbability } from "../data/format.ts";
import type { Picture } from "../data/picture.ts";
import { isRight, type Prediction } from "../state/album.ts";
import type { Saved } from "../state/standin.ts";
import type { Help } from "../types.ts";
import { PlainThumb } from "../views/thumb.tsx";
import { Verdict } from "../views/verdict.tsx";
import { HelpButton } from "./help.tsx";

const told = 3; // classes; more are in the list of classes
const least = 0.001; // of probability; what is below is not worth a word

interface SubjectProps {
  picture: Picture | null;
  prediction: Prediction | null;
  className: (index: number) => string;
  /** The model's name. */
  model: string;
  /** The method's name and what it does. */
  method: string;
  help?: Help | undefined;
  /** What else there is to say, such as how many masks. */
  more?: string;
  /** Of a saved page. */
  saved?: Saved | null;
}

export function Subject(props: SubjectProps) {
  const { picture, prediction, className, model, method, help, more, saved } = props;
  const sentence = [help?.help, more].filter(Boolean).join("; ");
  return (
    <div class="xw-subject">
      <PlainThumb picture={picture} label="The picture that is explained" />
      <div class="xw-subject-text">
        <p class="xw-predicted">
          {prediction && <Predicted prediction={prediction} className={className} />}
        </p>
        <p class="xw-method">
          <span title={sentence}>
            {model && <>{model} · </>}
            <b>{method}</b>
            {sentence && <> {sentence}</>}
          </span>
          {saved && <span class="xw-saved"> · saved {saved.date}</span>}
          <HelpButton of={method} help={help} />
        </p>
      </div>
    </div>
  );
}

function Predicted({
  prediction,
  className,
}: {
  prediction: Prediction;
  className: (index: number) => string;
}) {
  const { kind, classes, shares, label } = prediction;
  const text = (share: number) => (kind === "probability" ? formatProbability(share) : formatNumber(share));
  const [first, ...others] = Array.from(classes.slice(0, told), (index, i) => ({ index, share: shares[i]! }));
  if (!first) return null;
  const rest = others.filter(({ share }) => kind === "value" || share >= least);
  return (
    <>
      <span class="xw-quiet">predicted:</span> <b>{className(first.index)}</b> {text(first.share)}
      {rest.map(({ index, share }) => (
        <span key={index} class="xw-quiet">
          {" "}
          · {className(index)} {text(share)}
        </span>
      ))}
      {label !== null && (
        <>
          {" "}
          <Verdict right={isRight({ predicted: first.index, label })} /> <span class="xw-quiet">label:</span>{" "}
          {className(label)}
        </>
      )}
    </>
  );
}
