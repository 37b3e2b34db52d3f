/** What is explained: the plain picture, what the model says of it and how sure it is, and the methods in words. */

import { formatBytes, formatNumber, formatProbability } from "../data/format.ts";
import type { Picture } from "../data/picture.ts";
import { isRight, type Prediction, saidName, saidOf } from "../state/album.ts";
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
          {saved && <span class="xw-saved"> · {savedWords(saved)}</span>}
          <HelpButton of={method} help={help} />
        </p>
      </div>
    </div>
  );
}

function savedWords({ date, bytes, images }: Saved): string {
  const size = bytes === undefined ? [] : [formatBytes(bytes)];
  const held = images ? [`${images[0]} of ${images[1]} images, for more there was no room`] : [];
  return [`saved ${date}`, ...size, ...held].join(", ");
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
  const [index, share] = saidOf(kind, classes.length === 1, first.index, first.share);
  const name = saidName(index, className);
  const rest = others.filter(({ share }) => kind === "value" || share >= least);
  return (
    <>
      <span class="xw-quiet">predicted:</span>{" "}
      <b class="xw-said" title={name}>
        {name}
      </b>{" "}
      <span>{text(share)}</span>
      {rest.length > 0 && (
        <span class="xw-quiet xw-others">
          {rest.map((other) => (
            <span key={other.index}>
              {" "}
              · {className(other.index)} {text(other.share)}
            </span>
          ))}
        </span>
      )}
      {label !== null && (
        <>
          {" "}
          <Verdict right={isRight({ predicted: index, label })} /> <span class="xw-quiet">label:</span>{" "}
          <span class="xw-said" title={className(label)}>
            {className(label)}
          </span>
        </>
      )}
    </>
  );
}
