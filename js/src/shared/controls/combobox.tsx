/**
 * One of many, found by typing: the ARIA combobox pattern over a filtered list. The list shows at most 60
 * entries, so that a thousand class names cost nothing.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Help } from "../types.ts";
import { FieldLabel } from "./help.tsx";
import { useUniqueId } from "./id.ts";
import type { Choice } from "./segmented.tsx";

/** A choice that may have a number: how much of it there is, 0..1, as a bar, and in words. */
export interface RatedChoice extends Choice {
  share?: number;
  said?: string;
}

interface ComboboxProps {
  label: string;
  help?: Help | undefined;
  value: string;
  choices: readonly RatedChoice[];
  /** Shown while nothing is chosen. */
  placeholder?: string;
  onChange: (value: string) => void;
}

const shown = 60;

/** Entries that contain the text; those that begin with it come first. */
export function matching(choices: readonly RatedChoice[], text: string): RatedChoice[] {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [...choices];
  const found = choices.filter(({ label }) => label.toLowerCase().includes(wanted));
  const begins = ({ label }: Choice) => (label.toLowerCase().startsWith(wanted) ? 0 : 1);
  return found.sort((a, b) => begins(a) - begins(b));
}

export function Combobox({ label, help, value, choices, placeholder = "", onChange }: ComboboxProps) {
  const id = useUniqueId();
  const [typed, setTyped] = useState<string | null>(null); // null: closed
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const open = typed !== null;
  const found = useMemo(() => (open ? matching(choices, typed) : []), [choices, typed, open]);
  const options = found.slice(0, shown);
  const chosen = choices.find((choice) => choice.value === value)?.label ?? value;

  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const show = () => {
    setTyped("");
    setActive(
      Math.max(
        0,
        choices.slice(0, shown).findIndex((choice) => choice.value === value),
      ),
    );
  };
  const choose = (choice: Choice | undefined) => {
    setTyped(null);
    if (choice && choice.value !== value) onChange(choice.value);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const last = options.length - 1;
    const actions: Record<string, () => void> = {
      ArrowDown: () => (open ? setActive(Math.min(last, active + 1)) : show()),
      ArrowUp: () => (open ? setActive(Math.max(0, active - 1)) : show()),
      Enter: () => (open ? choose(options[active]) : show()),
      Escape: () => setTyped(null),
    };
    const action = actions[event.key];
    event.stopPropagation(); // letters are a search here, not the notebook's commands
    if (!action) return;
    event.preventDefault();
    action();
  };

  return (
    <div class="xw-field xw-inline xw-combobox">
      <FieldLabel text={label} of={id} help={help} />
      <span class="xw-anchor">
        <input
          id={id}
          class="xw-select xw-combo-input"
          role="combobox"
          autocomplete="off"
          spellcheck={false}
          aria-expanded={open}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={open && options.length ? `${id}-${active}` : undefined}
          value={typed ?? chosen}
          placeholder={(open && chosen) || placeholder}
          title={chosen}
          onClick={() => open || show()}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
          onBlur={() => setTyped(null)}
        />
        {open && (
          <div ref={list} id={`${id}-list`} class="xw-popup xw-listbox" role="listbox" aria-label={label}>
            {options.map((choice, i) => (
              <div
                key={choice.value}
                id={`${id}-${i}`}
                role="option"
                tabIndex={-1}
                aria-selected={choice.value === value}
                class={i === active ? "xw-active" : ""}
                // Before the input loses the focus and closes the list.
                onPointerDown={(event) => {
                  event.preventDefault();
                  choose(choice);
                }}
              >
                <span>{choice.label}</span>
                {choice.said && <small>{choice.said}</small>}
                {choice.share !== undefined && (
                  <i class="xw-share-bar" style={{ width: `${choice.share * 100}%` }} />
                )}
              </div>
            ))}
            {found.length > shown && <div class="xw-more">{found.length - shown} more: type to narrow</div>}
            {found.length === 0 && <div class="xw-more">nothing matches</div>}
          </div>
        )}
      </span>
    </div>
  );
}
